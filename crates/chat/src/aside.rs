//! Titles and translations by models that only their owner's browser reaches: the server says what to ask, the browser asks and
//! brings back what was said, under the same conditions as what the server asks itself.

use stoa_model::completion::{AnswerForm, CompletionRequest, LocalOptions, Parameters, PromptMessage, Timers};
use stoa_model::conversation::{Language, Message, MessageStatus, Translation};
use stoa_model::personal::split_personal_id;
use stoa_model::{ConversationId, MessageId, Principal};
use stoa_storage::{PathQuery, StorageError, StoredPersonalProvider};

use crate::browser::BrowserCall;
use crate::engine::{ChatError, Engine};
use crate::{title, translate};

impl Engine {
    /// What to ask for the title of a conversation whose last turn was this browser's to answer. Not found where no model writes
    /// titles, or nobody would read this one.
    pub async fn title_call(&self, principal: &Principal, id: ConversationId) -> Result<BrowserCall, ChatError> {
        let conversation = self.database().conversation(principal, id).await?;
        let wanted = self.options().titles && conversation.temporary_until.is_none();
        let model = conversation.model.filter(|_| wanted).ok_or(StorageError::NotFound)?;
        let provider = self.reached_by_browser(principal, &model).await?;
        let exchange = PathQuery { limit: title::MESSAGES, ..PathQuery::default() };
        let said = self.database().messages(principal, id, exchange).await?.items;
        if said.is_empty() {
            return Err(StorageError::NotFound.into());
        }
        Ok(call(provider, &model, title::question(&said), title::parameters()))
    }

    /// Takes a title that a browser brings, when it is one and nobody has given another.
    pub async fn take_title(&self, principal: &Principal, id: ConversationId, written: &str) -> Result<(), ChatError> {
        let conversation = self.database().conversation(principal, id).await?;
        let model = conversation.model.ok_or(StorageError::NotFound)?;
        self.reached_by_browser(principal, &model).await?;
        if let Some(title) = title::clean(written) {
            self.database().suggest_title(principal, id, &title).await?;
        }
        Ok(())
    }

    /// What to ask for a translation by a model that only this browser reaches.
    pub async fn translation_call(
        &self,
        principal: &Principal,
        id: MessageId,
        model: &str,
        language: Language,
    ) -> Result<BrowserCall, ChatError> {
        let message = self.written(principal, id).await?;
        let provider = self.reached_by_browser(principal, model).await?;
        let messages = translate::question(language, translate::words(&message.parts));
        Ok(call(provider, model, messages, Parameters::default()))
    }

    /// Keeps a translation that a browser brings.
    pub async fn take_translation(
        &self,
        principal: &Principal,
        id: MessageId,
        translation: Translation,
    ) -> Result<Message, ChatError> {
        let message = self.written(principal, id).await?;
        self.reached_by_browser(principal, &translation.model).await?;
        self.database().keep_translation(principal, id, Some(&translation)).await?;
        Ok(Message { translation: Some(translation), ..message })
    }

    /// A message that is not being written.
    pub(crate) async fn written(&self, principal: &Principal, id: MessageId) -> Result<Message, ChatError> {
        let message = self.database().message(principal, id).await?;
        if message.status == MessageStatus::Running {
            return Err(StorageError::Refused("the answer is being written").into());
        }
        Ok(message)
    }

    /// The provider of a model that only the principal's browser reaches. A program is no browser.
    async fn reached_by_browser(
        &self,
        principal: &Principal,
        model: &str,
    ) -> Result<StoredPersonalProvider, ChatError> {
        let (slug, name) = split_personal_id(model).ok_or(StorageError::NotFound)?;
        if !self.options().personal_providers || principal.session_id().is_none() {
            return Err(StorageError::NotFound.into());
        }
        let found = self.database().personal_provider_by_slug(principal, slug).await?;
        Ok(found.filter(|found| found.provider.model(name).is_some()).ok_or(StorageError::NotFound)?)
    }
}

fn call(
    provider: StoredPersonalProvider,
    model: &str,
    messages: Vec<PromptMessage>,
    parameters: Parameters,
) -> BrowserCall {
    let name = split_personal_id(model).map_or("", |(_, name)| name);
    let request = CompletionRequest {
        model: name.to_owned(),
        messages,
        parameters,
        stop: Vec::new(),
        seed: None,
        form: AnswerForm::default(),
        tenant: None,
        depth: 0,
        timers: Timers::default(),
        local: LocalOptions::default(),
    };
    BrowserCall { provider, request }
}

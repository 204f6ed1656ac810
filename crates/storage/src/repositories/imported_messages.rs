//! Messages of an import: each once, and none before the one that it follows.

use std::collections::{HashMap, HashSet};

use sea_orm::{ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QuerySelect};
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::{Failure, MessageRole, MessageStatus, Part, Summary, Timings, Translation};
use stoa_model::{AssistantId, ConversationId, MessageId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::messages;
use crate::{Database, StorageError};

use super::conversations::find;
use super::summaries::touch;
use super::{files, to_json};

#[derive(Clone, Debug)]
pub struct ImportedMessage {
    pub id: MessageId,
    pub parent: Option<MessageId>,
    pub role: MessageRole,
    /// Pictures are of files of the principal's.
    pub parts: Vec<Part>,
    pub status: MessageStatus,
    pub model: Option<String>,
    /// Who answered, where it was not the assistant of the conversation.
    pub assistant: Option<AssistantId>,
    pub stand_in: Option<String>,
    pub parameters: Option<Parameters>,
    pub finish_reason: Option<FinishReason>,
    pub usage: Option<Usage>,
    pub timings: Option<Timings>,
    pub error: Option<Failure>,
    pub translation: Option<Translation>,
    pub summary: Option<Summary>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub struct ImportedMessages {
    pub made: u64,
    /// They were there.
    pub known: u64,
    /// What they follow is not there yet: they are to be brought again.
    pub waiting: Vec<ImportedMessage>,
}

impl Database {
    /// Writes a few messages into an imported conversation, in one transaction with what they are found by. A message that
    /// follows one that is not there waits: so nothing ever leads in a circle.
    pub async fn import_messages(
        &self,
        principal: &Principal,
        conversation: ConversationId,
        batch: Vec<ImportedMessage>,
        now: Timestamp,
    ) -> Result<ImportedMessages, StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, conversation).await?;
        let named: HashSet<Uuid> =
            batch.iter().flat_map(|new| [Some(new.id), new.parent]).flatten().map(MessageId::as_uuid).collect();
        let there: HashMap<Uuid, Uuid> = messages::Entity::find()
            .select_only()
            .columns([messages::Column::Id, messages::Column::ConversationId])
            .filter(messages::Column::Id.is_in(named))
            .into_tuple::<(Uuid, Uuid)>()
            .all(&transaction)
            .await?
            .into_iter()
            .collect();
        let mut above: HashSet<Uuid> =
            there.iter().filter(|(_, of)| **of == conversation.as_uuid()).map(|(id, _)| *id).collect();
        let mut result = ImportedMessages::default();
        let (known, mut waiting): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|new| there.contains_key(&new.id.as_uuid()));
        result.known = u64::try_from(known.len()).unwrap_or(u64::MAX);
        let mut ready = Vec::new();
        loop {
            let before = waiting.len();
            for new in std::mem::take(&mut waiting) {
                let follows = new.parent.is_none_or(|parent| above.contains(&parent.as_uuid()));
                if !follows {
                    waiting.push(new);
                } else if above.insert(new.id.as_uuid()) {
                    ready.push(new);
                } else {
                    result.known += 1;
                }
            }
            if waiting.len() == before {
                break;
            }
        }
        result.waiting = waiting;
        if ready.is_empty() {
            return Ok(result);
        }
        let rows = ready.iter().map(|new| row(conversation, new)).collect::<Result<Vec<_>, _>>()?;
        let rows = rows.into_iter().map(|row| {
            // Every column is to be written.
            row.into_active_model().reset_all()
        });
        messages::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        for new in &ready {
            files::attach(&transaction, principal, new.id, &new.parts, now).await?;
        }
        if ready.iter().any(|new| new.summary.is_some()) {
            touch(&transaction, conversation, now).await?;
        }
        let ids: Vec<Uuid> = ready.iter().map(|new| new.id.as_uuid()).collect();
        self.index(&transaction, &[], &ids).await?;
        transaction.commit().await?;
        result.made = u64::try_from(ready.len()).unwrap_or(u64::MAX);
        Ok(result)
    }
}

fn row(conversation: ConversationId, new: &ImportedMessage) -> Result<messages::Model, StorageError> {
    Ok(messages::Model {
        id: new.id.into(),
        conversation_id: conversation.into(),
        parent_id: new.parent.map(Into::into),
        role: new.role.as_str().to_owned(),
        parts: to_json("messages", "parts", &new.parts)?,
        status: match new.status {
            // Nobody writes it here.
            MessageStatus::Running => MessageStatus::Interrupted.as_str().to_owned(),
            status => status.as_str().to_owned(),
        },
        model: new.model.clone(),
        stand_in: new.stand_in.clone(),
        parameters: new.parameters.as_ref().map(|it| to_json("messages", "parameters", it)).transpose()?,
        generation_id: None,
        usage: new.usage.as_ref().map(|it| to_json("messages", "usage", it)).transpose()?,
        timings: new.timings.as_ref().map(|it| to_json("messages", "timings", it)).transpose()?,
        error: new.error.as_ref().map(|it| to_json("messages", "error", it)).transpose()?,
        finish_reason: new.finish_reason.map(|reason| reason.as_str().to_owned()),
        created_at: new.created_at.as_millis(),
        removed_at: None,
        removed_parent_id: None,
        moved_from_id: None,
        translation: new.translation.as_ref().map(|it| to_json("messages", "translation", it)).transpose()?,
        summary: new.summary.as_ref().map(|it| to_json("messages", "summary", it)).transpose()?,
        assistant_id: new.assistant.map(Into::into),
    })
}

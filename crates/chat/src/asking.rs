//! Asking a model for something beside an answer: the whole of what it says, for one who waits.

use std::time::Duration;

use futures_util::StreamExt as _;
use stoa_dispatch::Call;
use stoa_model::Principal;
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, LocalOptions, Parameters, PartKind, PromptMessage, Timers,
};

use crate::engine::{ChatError, Engine};

/// What is asked of a model.
pub(crate) struct Question {
    pub(crate) model: String,
    pub(crate) messages: Vec<PromptMessage>,
    pub(crate) parameters: Parameters,
    pub(crate) form: AnswerForm,
    /// How long it may take.
    pub(crate) patience: Duration,
    /// Bytes. What comes after them is left aside.
    pub(crate) longest: usize,
}

impl Engine {
    /// The text of the answer, without what was thought. It is the caller who waits: whoever goes away stops it.
    pub(crate) async fn ask(&self, principal: &Principal, question: Question) -> Result<String, ChatError> {
        let call = Call {
            model: question.model,
            messages: question.messages,
            parameters: question.parameters,
            stop: Vec::new(),
            seed: None,
            form: question.form,
            timers: Timers { total: question.patience, ..Timers::default() },
            local: LocalOptions::default(),
            generation: None,
            receipt: None,
        };
        let mut events = self.dispatch().call(principal, call).await.map_err(ChatError::Call)?.events;
        let mut said = String::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = self.interrupted() => return Err(ChatError::Closing),
            };
            match event {
                Some(Ok(CompletionEvent::Delta { part: PartKind::Text, text })) if said.len() < question.longest => {
                    said.push_str(&text);
                }
                Some(Ok(CompletionEvent::Finish(_))) => return Ok(said.trim().to_owned()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(ChatError::Call(error)),
                None => return Err(ChatError::Call(CompletionError::CutOff)),
            }
        }
    }
}

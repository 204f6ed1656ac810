//! A question to a model that is no turn of a conversation: for a title, a translation, a summary, the details of an assistant.

use std::time::Duration;

use futures_util::StreamExt as _;
use stoa_dispatch::Call;
use stoa_model::Principal;
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, LocalOptions, Parameters, PartKind, PromptMessage, Timers,
};
use stoa_model::format::Format;

use crate::engine::{ChatError, Engine};

/// What is asked, and how much of an answer is waited for.
pub(crate) struct Question<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: Vec<PromptMessage>,
    pub(crate) parameters: Parameters,
    /// What form the answer must have.
    pub(crate) format: Option<Format>,
    /// How long the whole of it may take.
    pub(crate) within: Duration,
    /// What is said past so many bytes is left aside.
    pub(crate) bytes: usize,
}

/// What the model says, without what it thinks. Whoever goes away stops it.
pub(crate) async fn ask(engine: &Engine, principal: &Principal, question: Question<'_>) -> Result<String, ChatError> {
    let call = Call {
        model: question.model.to_owned(),
        messages: question.messages,
        parameters: question.parameters,
        stop: Vec::new(),
        seed: None,
        form: AnswerForm { format: question.format, ..AnswerForm::default() },
        timers: Timers { total: question.within, ..Timers::default() },
        local: LocalOptions::default(),
        generation: None,
        receipt: None,
    };
    let mut events = engine.dispatch().call(principal, call).await.map_err(ChatError::Call)?.events;
    let mut said = String::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = engine.interrupted() => return Err(ChatError::Closing),
        };
        match event {
            Some(Ok(CompletionEvent::Delta { part: PartKind::Text, text })) if said.len() < question.bytes => {
                said.push_str(&text);
            }
            Some(Ok(CompletionEvent::Finish(_))) => return Ok(said),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(ChatError::Call(error)),
            None => return Err(ChatError::Call(CompletionError::CutOff)),
        }
    }
}

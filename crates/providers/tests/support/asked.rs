//! What the tests ask of a server: one message, with time enough for a busy machine.

use std::time::Duration;

use stoa_model::completion::{
    AnswerForm, CompletionRequest, LocalOptions, Parameters, PromptMessage, PromptRole, Timers,
};

pub(crate) fn timers() -> Timers {
    Timers {
        connect: Duration::from_secs(5),
        first_token: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        total: Duration::from_mins(1),
    }
}

pub(crate) fn request(model: &str, message: &str) -> CompletionRequest {
    CompletionRequest {
        model: model.to_owned(),
        messages: vec![PromptMessage::new(PromptRole::User, message)],
        parameters: Parameters::default(),
        stop: Vec::new(),
        seed: None,
        form: AnswerForm::default(),
        tenant: None,
        depth: 0,
        timers: timers(),
        local: LocalOptions::default(),
    }
}

//! `POST /api/chat`

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use stoa_model::completion::PromptMessage;
use stoa_model::conversation::MessageRole;
use stoa_model::json::Json;

use super::answer::{Common, role};
use super::caller::Caller;
use super::error::Refusal;
use super::stream::{Answer, Shape};
use super::{Ollama, body};

/// More messages than a model's context holds words.
const MAX_MESSAGES: usize = 10_000;

#[derive(Deserialize)]
struct ChatRequest {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<Json>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    images: Option<Vec<Json>>,
    #[serde(default)]
    tool_calls: Option<Vec<Json>>,
}

pub(super) async fn chat(State(state): State<Ollama>, caller: Caller, request: Request) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let request: ChatRequest = body(request).await?;
    let prepared = request.common.prepare(&state.models).await?;
    let name = &request.common.model;
    if !request.tools.is_empty() || request.messages.iter().any(|message| message.tool_calls.is_some()) {
        return Err(Refusal::invalid(format!("{name} does not support tools here yet")));
    }
    if request.messages.iter().any(|message| message.images.as_ref().is_some_and(|images| !images.is_empty())) {
        return Err(Refusal::invalid(format!("{name} does not support images here yet")));
    }
    let answer = Answer { shape: Shape::Chat, model: name.clone(), begun, app: state.app.clone() };
    if request.messages.is_empty() {
        let (reason, loading) = state.load_or_unload(&prepared, caller.0.user_id()).await?;
        return Ok(answer.done(reason, loading));
    }
    if request.messages.len() > MAX_MESSAGES {
        return Err(Refusal::invalid(format!("at most {MAX_MESSAGES} messages are taken")));
    }
    let mut said = Vec::with_capacity(request.messages.len());
    for message in request.messages {
        said.push(PromptMessage { role: role(&message.role)?, text: message.content });
    }
    let mut messages = prepared.begin(said.iter().any(|message| message.role == MessageRole::System))?;
    messages.append(&mut said);
    let events = state.app.dispatch.call(&caller.0, prepared.call(messages, None)).await?;
    answer.send(events, request.common.stream.unwrap_or(true)).await
}

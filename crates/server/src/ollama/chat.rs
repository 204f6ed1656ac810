//! `POST /api/chat`

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use stoa_model::completion::{PromptMessage, PromptRole};
use stoa_model::json::Json;
use stoa_model::tools::{ToolCall, Tools};

use super::answer::Common;
use super::caller::Caller;
use super::error::Refusal;
use super::stream::{Answer, Shape};
use super::{Ollama, body_with_images, images};

/// More messages than a model's context holds words.
const MAX_MESSAGES: usize = 10_000;

#[derive(Deserialize)]
struct ChatRequest {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    tools: Option<Vec<Json>>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    images: Option<Vec<Json>>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCallAsked>>,
    #[serde(default)]
    tool_name: Option<String>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
struct ToolCallAsked {
    #[serde(default)]
    id: String,
    function: FunctionAsked,
}

#[derive(Deserialize)]
struct FunctionAsked {
    name: String,
    #[serde(default)]
    arguments: Json,
}

impl TryFrom<Message> for PromptMessage {
    type Error = Refusal;

    fn try_from(message: Message) -> Result<Self, Refusal> {
        let role = message.role.to_lowercase();
        let role = PromptRole::parse(&role)
            .ok_or_else(|| Refusal::invalid(format!("messages of the role {:?} are not known", message.role)))?;
        let call = |call: ToolCallAsked| {
            let arguments = match call.function.arguments {
                Json::Null => "{}".to_owned(),
                arguments @ Json::Object(_) => arguments.to_string(),
                other => {
                    let message = format!("the arguments of a tool call must be an object, not {}", other.kind());
                    return Err(Refusal::invalid(message));
                }
            };
            Ok(ToolCall { id: call.id, name: call.function.name, arguments })
        };
        Ok(Self {
            role,
            text: message.content,
            images: images::read(message.images)?,
            reasoning: message.thinking.filter(|thinking| !thinking.is_empty()),
            tool_calls: message.tool_calls.into_iter().flatten().map(call).collect::<Result<_, _>>()?,
            tool_call_id: message.tool_call_id,
            tool_name: message.tool_name,
        })
    }
}

pub(super) async fn chat(State(state): State<Ollama>, caller: Caller, request: Request) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let request: ChatRequest = body_with_images(request).await?;
    let prepared = request.common.prepare(&state.models).await?;
    let name = &request.common.model;
    let answer = Answer { shape: Shape::Chat, model: name.clone(), begun, app: state.app.clone() };
    if request.messages.is_empty() {
        let (reason, loading) = state.load_or_unload(&prepared, caller.0.user_id()).await?;
        return Ok(answer.done(reason, loading));
    }
    if request.messages.len() > MAX_MESSAGES {
        return Err(Refusal::invalid(format!("at most {MAX_MESSAGES} messages are taken")));
    }
    let messages = request.messages.into_iter().map(PromptMessage::try_from).collect::<Result<_, _>>()?;
    let tools = Tools { offered: request.tools.unwrap_or_default(), ..Tools::default() };
    let answering = state.app.dispatch.call(&caller.0, prepared.call(messages, tools)).await?;
    answer.send(answering.events, request.common.stream.unwrap_or(true)).await
}

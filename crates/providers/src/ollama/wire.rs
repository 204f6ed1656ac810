//! The request as it is written to Ollama.

use serde::Serialize;
use stoa_model::completion::{CompletionError, CompletionRequest, PromptMessage};
use stoa_model::format::Format;
use stoa_model::image::Image;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::{ToolCall, ToolChoice};

use crate::protocol::not_taken;
use crate::turns::arguments;

const VENDOR: &str = "Ollama";

#[derive(Serialize)]
pub(super) struct WireRequest<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "<[Json]>::is_empty")]
    tools: &'a [Json],
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Json>,
    options: WireOptions<'a>,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    /// Their places in the text are not told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: Json,
}

#[derive(Serialize)]
struct WireOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest) -> Result<Self, CompletionError> {
        let (parameters, form) = (&request.parameters, &request.form);
        let tools = &form.tools;
        if !tools.offered.is_empty() {
            if matches!(tools.choice, ToolChoice::Required | ToolChoice::Named(_)) {
                return Err(not_taken("tool_choice", VENDOR));
            }
            if tools.one_call {
                return Err(not_taken("parallel_tool_calls", VENDOR));
            }
        }
        Ok(Self {
            model: &request.model,
            messages: request.messages.iter().map(message).collect::<Result<_, _>>()?,
            stream: true,
            tools: tools.shown(),
            format: form.format.as_ref().map(|format| match format {
                Format::Json => Json::Text("json".to_owned()),
                Format::Schema { schema, .. } => schema.clone(),
            }),
            think: form.think.map(think),
            options: WireOptions {
                temperature: parameters.temperature,
                top_p: parameters.top_p,
                presence_penalty: parameters.presence_penalty,
                frequency_penalty: parameters.frequency_penalty,
                num_predict: parameters.max_tokens,
                stop: &request.stop,
                seed: request.seed,
            },
        })
    }
}

fn think(think: Think) -> Json {
    think.level().map_or(Json::Bool(think.is_on()), |level| Json::Text(level.to_owned()))
}

fn message(message: &PromptMessage) -> Result<WireMessage<'_>, CompletionError> {
    Ok(WireMessage {
        role: message.role.as_str(),
        content: &message.text,
        thinking: message.reasoning.as_deref(),
        images: message.images.iter().map(Image::to_base64).collect(),
        tool_calls: message.tool_calls.iter().map(call).collect::<Result<_, _>>()?,
        tool_name: message.tool_name.as_deref(),
        tool_call_id: message.tool_call_id.as_deref(),
    })
}

fn call(call: &ToolCall) -> Result<WireCall<'_>, CompletionError> {
    Ok(WireCall { id: &call.id, function: WireFunction { name: &call.name, arguments: arguments(call)? } })
}

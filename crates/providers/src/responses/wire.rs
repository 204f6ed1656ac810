//! The request as it is written to OpenAI's Responses.

use serde::Serialize;
use serde_json::Value;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::tools::{ToolChoice, Tools};

use super::input::{WireItem, items};
use crate::protocol::{not_taken, refuse_unknown};
use crate::turns::{functions, no_parameters};

const VENDOR: &str = "this provider's Responses";

#[derive(Serialize)]
pub(super) struct WireRequest<'a> {
    model: &'a str,
    input: Vec<WireItem<'a>>,
    stream: bool,
    /// Conversations stay here.
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<WireReasoning>,
}

#[derive(Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Json,
    /// Here a function is strict unless it says otherwise.
    strict: bool,
}

#[derive(Serialize)]
struct WireText<'a> {
    format: WireFormat<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireFormat<'a> {
    JsonObject,
    JsonSchema { name: &'static str, schema: &'a Json, strict: bool },
}

#[derive(Serialize)]
struct WireReasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest) -> Result<Self, CompletionError> {
        refuse_unknown(request, VENDOR)?;
        if !request.stop.is_empty() {
            return Err(not_taken("stop", VENDOR));
        }
        let (parameters, form) = (&request.parameters, &request.form);
        let format = form.format.as_ref().map(|format| match format {
            Format::Json => WireFormat::JsonObject,
            Format::Schema { schema, strict } => WireFormat::JsonSchema { name: "answer", schema, strict: *strict },
        });
        Ok(Self {
            model: &request.model,
            input: items(&request.messages),
            stream: true,
            store: false,
            temperature: parameters.temperature,
            top_p: parameters.top_p,
            max_output_tokens: parameters.max_tokens,
            tools: functions(&form.tools)
                .into_iter()
                .map(|function| WireTool {
                    kind: "function",
                    name: function.name,
                    description: function.description,
                    parameters: function.parameters.cloned().unwrap_or_else(no_parameters),
                    strict: function.strict.unwrap_or(false),
                })
                .collect(),
            tool_choice: tool_choice(&form.tools),
            parallel_tool_calls: (form.tools.one_call && !form.tools.offered.is_empty()).then_some(false),
            text: format.map(|format| WireText { format }),
            reasoning: form
                .think
                .map(|think| WireReasoning { effort: think.effort(), summary: think.is_on().then_some("auto") }),
        })
    }
}

fn tool_choice(tools: &Tools) -> Option<Value> {
    match &tools.choice {
        _ if tools.offered.is_empty() => None,
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Value::from("none")),
        ToolChoice::Required => Some(Value::from("required")),
        ToolChoice::Named(name) => Some(serde_json::json!({"type": "function", "name": name})),
    }
}

//! The request as it is written to Bedrock.

use serde::Serialize;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::{ToolChoice, Tools};

use super::message::{WireMessage, message};
use crate::anthropic::{self, Thinking};
use crate::protocol::{not_taken, refuse_unknown};
use crate::turns::{self, Turn, functions, no_parameters};

const VENDOR: &str = "Bedrock";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRequest<'a> {
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[WireText; 1]>,
    inference_config: WireInference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<WireTools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<WireOutput>,
}

#[derive(Serialize)]
struct WireText {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireInference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireTools<'a> {
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireTool<'a> {
    tool_spec: WireSpec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSpec<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: WireSchema,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct WireSchema {
    json: Json,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum WireChoice<'a> {
    Any {},
    Tool { name: &'a str },
}

/// What goes through to the model as it is.
#[derive(Serialize)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<WireFormat>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireFormat {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: WireStructure,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireStructure {
    json_schema: WireJsonSchema,
}

#[derive(Serialize)]
struct WireJsonSchema {
    /// JSON, as a text.
    schema: String,
    name: &'static str,
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest) -> Result<Self, CompletionError> {
        refuse_unknown(request, VENDOR)?;
        let (parameters, form) = (&request.parameters, &request.form);
        if parameters.temperature.is_some_and(|temperature| temperature > 1.0) {
            let detail = format!("{VENDOR} takes a `temperature` from 0 to 1");
            return Err(CompletionError::Invalid { detail });
        }
        let (system, turns) = turns::of(&request.messages);
        let (fields, effort) = thinking(request, &turns)?;
        let text_format = match &form.format {
            None => None,
            Some(Format::Json) => return Err(not_taken("JSON without a schema", VENDOR)),
            Some(Format::Schema { schema, .. }) => Some(WireFormat {
                kind: "json_schema",
                structure: WireStructure { json_schema: WireJsonSchema { schema: schema.to_string(), name: "answer" } },
            }),
        };
        Ok(Self {
            messages: turns.iter().filter_map(|turn| message(turn).transpose()).collect::<Result<_, _>>()?,
            system: (!system.trim().is_empty()).then_some([WireText { text: system }]),
            inference_config: WireInference {
                max_tokens: parameters.max_tokens,
                temperature: parameters.temperature,
                top_p: parameters.top_p,
                stop_sequences: &request.stop,
            },
            tool_config: tools(&form.tools, &turns)?,
            additional_model_request_fields: fields,
            output_config: (effort.is_some() || text_format.is_some()).then_some(WireOutput { effort, text_format }),
        })
    }
}

/// Whether to think, and how hard: each family of models has its own words for it, and most have none.
fn thinking(
    request: &CompletionRequest,
    turns: &[Turn<'_>],
) -> Result<(Option<Fields>, Option<&'static str>), CompletionError> {
    let Some(think) = request.form.think else { return Ok((None, None)) };
    if request.model.contains("anthropic.claude") {
        let (thinking, effort) = anthropic::thinking(request, turns)?;
        let fields = thinking.map(|thinking| Fields { thinking: Some(thinking), reasoning_effort: None });
        return Ok((fields, effort));
    }
    if request.model.contains("openai.gpt-oss") {
        let level = match think {
            Think::Budget(tokens) => Think::of_budget(tokens),
            level => level,
        };
        let reasoning_effort = match level {
            Think::Low => Some("low"),
            Think::On | Think::Medium => Some("medium"),
            Think::High | Think::Max => Some("high"),
            Think::Off | Think::Budget(_) => None,
        };
        if reasoning_effort.is_some() {
            return Ok((Some(Fields { thinking: None, reasoning_effort }), None));
        }
    }
    let detail = format!("{VENDOR} has no word for how hard `{}` is to `think`: leave it out", request.model);
    Err(CompletionError::Invalid { detail })
}

fn tools<'a>(tools: &'a Tools, turns: &[Turn<'_>]) -> Result<Option<WireTools<'a>>, CompletionError> {
    let wire_tools: Vec<_> = functions(tools)
        .into_iter()
        .map(|function| WireTool {
            tool_spec: WireSpec {
                name: function.name,
                description: function.description.filter(|description| !description.is_empty()),
                input_schema: WireSchema { json: function.parameters.cloned().unwrap_or_else(no_parameters) },
                strict: function.strict.filter(|strict| *strict),
            },
        })
        .collect();
    if wire_tools.is_empty() {
        return Ok(None);
    }
    if tools.one_call {
        return Err(not_taken("parallel_tool_calls", VENDOR));
    }
    let tool_choice = match &tools.choice {
        ToolChoice::Auto => None,
        ToolChoice::Required => Some(WireChoice::Any {}),
        ToolChoice::Named(name) => Some(WireChoice::Tool { name }),
        ToolChoice::None => {
            // It has no word for that. A tool that is not offered is not called, but behind calls there must be tools.
            let called = |turn: &Turn<'_>| turn.messages.iter().any(|message| !message.tool_calls.is_empty());
            return if turns.iter().any(called) { Err(not_taken("tool_choice: none", VENDOR)) } else { Ok(None) };
        }
    };
    Ok(Some(WireTools { tools: wire_tools, tool_choice }))
}

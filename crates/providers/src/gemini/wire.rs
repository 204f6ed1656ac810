//! The request as it is written to Gemini.

use serde::Serialize;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::{ToolChoice, Tools};

use super::message::{WireContent, content};
use crate::protocol::not_taken;
use crate::turns::{self, functions};

/// The largest budget of thought that all models take.
const MOST_BUDGET: u32 = 24_576;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRequest<'a> {
    contents: Vec<WireContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<WireSystem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<WireToolConfig<'a>>,
    generation_config: WireConfig<'a>,
}

#[derive(Serialize)]
struct WireSystem {
    parts: [WireText; 1],
}

#[derive(Serialize)]
struct WireText {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireTools<'a> {
    function_declarations: Vec<WireFunction<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireFunction<'a> {
    name: &'a str,
    /// Google wants one of every function.
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Json>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireToolConfig<'a> {
    function_calling_config: WireCalling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireCalling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<WireThinking>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireThinking {
    include_thoughts: bool,
    /// -1 leaves the measure to the model.
    thinking_budget: i64,
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest) -> Result<Self, CompletionError> {
        let (parameters, form) = (&request.parameters, &request.form);
        if form.tools.one_call && !form.tools.offered.is_empty() {
            return Err(not_taken("parallel_tool_calls", "Gemini"));
        }
        let seed =
            request.seed.map(i32::try_from).transpose().map_err(|_| CompletionError::Invalid {
                detail: format!("Gemini takes a `seed` up to {}", i32::MAX),
            })?;
        let (system, turns) = turns::of(&request.messages);
        let signed = is_signed(&request.model);
        let (response_mime_type, response_json_schema) = match &form.format {
            None => (None, None),
            Some(Format::Json) => (Some("application/json"), None),
            Some(Format::Schema { schema, .. }) => (Some("application/json"), Some(schema)),
        };
        Ok(Self {
            contents: turns.iter().filter_map(|turn| content(turn, signed).transpose()).collect::<Result<_, _>>()?,
            system_instruction: (!system.is_empty()).then_some(WireSystem { parts: [WireText { text: system }] }),
            tools: tools(&form.tools),
            tool_config: tool_config(&form.tools),
            generation_config: WireConfig {
                temperature: parameters.temperature,
                top_p: parameters.top_p,
                presence_penalty: parameters.presence_penalty,
                frequency_penalty: parameters.frequency_penalty,
                max_output_tokens: parameters.max_tokens,
                stop_sequences: &request.stop,
                seed,
                response_mime_type,
                response_json_schema,
                thinking_config: form.think.map(thinking),
            },
        })
    }
}

fn thinking(think: Think) -> WireThinking {
    let thinking_budget = match think {
        Think::On => -1,
        think => i64::from(think.budget().min(MOST_BUDGET)),
    };
    WireThinking { include_thoughts: think.is_on(), thinking_budget }
}

fn tools(tools: &Tools) -> Vec<WireTools<'_>> {
    let function_declarations: Vec<_> = functions(tools)
        .into_iter()
        .map(|function| WireFunction {
            name: function.name,
            description: function.description.unwrap_or_default(),
            parameters_json_schema: function.parameters,
        })
        .collect();
    if function_declarations.is_empty() { Vec::new() } else { vec![WireTools { function_declarations }] }
}

fn tool_config(tools: &Tools) -> Option<WireToolConfig<'_>> {
    let (mode, name) = match &tools.choice {
        _ if tools.offered.is_empty() => return None,
        ToolChoice::Auto => return None,
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Named(name) => ("ANY", Some([name.as_str()])),
    };
    Some(WireToolConfig { function_calling_config: WireCalling { mode, allowed_function_names: name } })
}

/// From the third generation on a call is taken back only with the seal of the thought behind it. The generation stands in
/// the name: `gemini-3-pro-preview`.
fn is_signed(model: &str) -> bool {
    let version = model.rsplit('/').next().and_then(|name| name.strip_prefix("gemini-")).unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|generation| generation >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_of_a_model_says_whether_it_seals() {
        for (model, signed) in [
            ("gemini-2.5-flash", false),
            ("gemini-3-pro-preview", true),
            ("gemini-3.1-flash", true),
            ("gemini-flash-latest", false),
            ("tunedModels/mine", false),
        ] {
            assert_eq!(is_signed(model), signed, "{model}");
        }
    }
}

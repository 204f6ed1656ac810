//! The request as it is written to Anthropic.

use serde::Serialize;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::{ToolChoice, Tools};

use super::message::{WireMessage, message};
use crate::protocol::{not_taken, refuse_unknown};
use crate::turns::{self, Turn, functions, no_parameters};

/// The longest answer when none is asked for: this protocol must be told one.
const DEFAULT_MAX_TOKENS: u32 = 8_192;
/// The smallest budget of thought.
const LEAST_BUDGET: u32 = 1_024;
const VENDOR: &str = "Anthropic";

#[derive(Serialize)]
pub(super) struct WireRequest<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
}

#[derive(Serialize)]
struct WireTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Thinking {
    Disabled,
    Enabled { budget_tokens: u32 },
    Adaptive,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<WireFormat<'a>>,
}

#[derive(Serialize)]
struct WireFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a Json,
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(request: &'a CompletionRequest) -> Result<Self, CompletionError> {
        refuse_unknown(request, VENDOR)?;
        if request.parameters.temperature.is_some_and(|temperature| temperature > 1.0) {
            let detail = format!("{VENDOR} takes a `temperature` from 0 to 1");
            return Err(CompletionError::Invalid { detail });
        }
        let (system, turns) = turns::of(&request.messages);
        let (thinking, effort) = thinking(request, &turns)?;
        let format = match &request.form.format {
            None => None,
            Some(Format::Json) => return Err(not_taken("JSON without a schema", VENDOR)),
            Some(Format::Schema { schema, .. }) => Some(WireFormat { kind: "json_schema", schema }),
        };
        let budget = if let Some(Thinking::Enabled { budget_tokens }) = thinking { budget_tokens } else { 0 };
        let tools = &request.form.tools;
        Ok(Self {
            model: &request.model,
            // The budget is part of it, and has to leave room for the answer.
            max_tokens: request.parameters.max_tokens.unwrap_or_else(|| DEFAULT_MAX_TOKENS.saturating_add(budget)),
            stream: true,
            system,
            messages: turns.iter().filter_map(|turn| message(turn).transpose()).collect::<Result<_, _>>()?,
            temperature: request.parameters.temperature,
            top_p: request.parameters.top_p,
            stop_sequences: &request.stop,
            tools: functions(tools)
                .into_iter()
                .map(|function| WireTool {
                    name: function.name,
                    description: function.description,
                    input_schema: function.parameters.cloned().unwrap_or_else(no_parameters),
                    strict: function.strict.filter(|strict| *strict),
                })
                .collect(),
            tool_choice: tool_choice(tools),
            thinking,
            output_config: (effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format }),
        })
    }
}

/// Whether to think, and how hard. A model that is in the middle of calling tools cannot go on thinking without the signed
/// thoughts that it began with, which nobody has kept.
pub(crate) fn thinking(
    request: &CompletionRequest,
    turns: &[Turn<'_>],
) -> Result<(Option<Thinking>, Option<&'static str>), CompletionError> {
    let calling = turns.last().is_some_and(|turn| turn.messages.iter().any(|message| message.tool_call_id.is_some()));
    Ok(match request.form.think {
        None => (None, None),
        Some(Think::Off) => (Some(Thinking::Disabled), None),
        Some(_) if calling => (None, None),
        Some(think) if is_adaptive(&request.model) => (Some(Thinking::Adaptive), think.level()),
        Some(think) => {
            // At least half of what is allowed is left for the answer.
            let most = request.parameters.max_tokens.map_or(u32::MAX, |tokens| tokens / 2);
            let budget_tokens = think.budget().min(most);
            if budget_tokens < LEAST_BUDGET {
                let detail = format!("to think, {VENDOR} needs a `max_tokens` of at least {}", LEAST_BUDGET * 2);
                return Err(CompletionError::Invalid { detail });
            }
            (Some(Thinking::Enabled { budget_tokens }), None)
        }
    })
}

/// Since version 4.6 the models find their own measure, and the newest take no budget any more. The version stands in the
/// name: `claude-opus-4-6`, `claude-3-7-sonnet-20250219`.
fn is_adaptive(model: &str) -> bool {
    let mut version = model.split('-').filter_map(|part| part.parse::<u32>().ok().filter(|number| *number < 100));
    let (major, minor) = (version.next().unwrap_or(0), version.next().unwrap_or(0));
    (major, minor) >= (4, 6)
}

fn tool_choice(tools: &Tools) -> Option<WireChoice<'_>> {
    if tools.offered.is_empty() {
        return None;
    }
    let one_call = tools.one_call.then_some(true);
    let choice = |kind, name| Some(WireChoice { kind, name, disable_parallel_tool_use: one_call });
    match &tools.choice {
        ToolChoice::Auto if one_call.is_none() => None,
        ToolChoice::Auto => choice("auto", None),
        ToolChoice::None => Some(WireChoice { kind: "none", name: None, disable_parallel_tool_use: None }),
        ToolChoice::Required => choice("any", None),
        ToolChoice::Named(name) => choice("tool", Some(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_model_says_how_it_thinks() {
        for (model, adaptive) in [
            ("claude-3-7-sonnet-20250219", false),
            ("claude-sonnet-4-20250514", false),
            ("claude-opus-4-5-20251101", false),
            ("claude-opus-4-6", true),
            ("claude-sonnet-5", true),
            ("claude", false),
        ] {
            assert_eq!(is_adaptive(model), adaptive, "{model}");
        }
    }
}

//! A whole answer in one piece of JSON, as Anthropic has it.

use serde::Serialize;
use serde_json::value::RawValue;
use stoa_model::completion::{CompletionError, FinishReason, Usage};

use crate::outward::gather::{Collector, Piece};

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: (),
    usage: WireUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: &'static str },
    ToolUse { id: &'a str, name: &'a str, input: &'a RawValue },
}

/// Tokens as Anthropic counts them: what came from a cache is no part of the input.
#[derive(Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens.saturating_sub(usage.cached_tokens),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: usage.cached_tokens,
            output_tokens: usage.completion_tokens,
        }
    }
}

/// Which of its `stop_sequences` ended an answer is not known, so that such an end is one like any other.
pub(super) const fn stop_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ContentFilter => "refusal",
        FinishReason::ToolCalls => "tool_use",
    }
}

impl Collector {
    /// The JSON of Anthropic's `message`. An error when the model has written arguments that are no JSON object, for which
    /// this protocol has no place.
    pub fn to_message(&self, id: &str, model: &str, shows_thoughts: bool) -> Result<Vec<u8>, CompletionError> {
        let mut content = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            content.push(match piece {
                Piece::Text(text) => Block::Text { text },
                Piece::Reasoning(_) if !shows_thoughts => continue,
                Piece::Reasoning(thinking) => Block::Thinking { thinking, signature: "" },
                Piece::Call(call) => {
                    let input: &RawValue = serde_json::from_str(&call.arguments)
                        .ok()
                        .filter(|input: &&RawValue| input.get().starts_with('{'))
                        .ok_or_else(|| CompletionError::Protocol {
                            detail: format!("the arguments of its call of `{}` are no JSON object", call.name),
                        })?;
                    Block::ToolUse { id: &call.id, name: &call.name, input }
                }
            });
        }
        let answer = Answer {
            id,
            kind: "message",
            role: "assistant",
            model,
            content,
            stop_reason: stop_reason(self.finish()),
            stop_sequence: (),
            usage: self.usage.unwrap_or_default().into(),
        };
        // Texts, numbers and JSON that was just read always serialise.
        Ok(serde_json::to_vec(&answer).unwrap_or_default())
    }
}

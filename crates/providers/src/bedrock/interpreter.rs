//! Makes sense of an answer of Bedrock's, event by event.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::completion::{CompletionError, FinishReason, Usage};

use crate::answer::{Interpret, Out, Progress, not_understood};

#[derive(Debug)]
pub(super) struct Interpreter {
    progress: Progress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Start {
    start: StartOf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StartOf {
    tool_use: Option<ToolUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: String,
    name: String,
    /// An object where the call is whole.
    input: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DeltaEvent<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<Thought<'a>>,
    #[serde(borrow)]
    tool_use: Option<Piece<'a>>,
}

/// Signatures, and what is hidden, are nothing that could be shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Thought<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    #[serde(borrow)]
    input: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Stop {
    stop_reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    usage: Option<Counts>,
}

/// What came from a cache or went into it is no part of the input.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Counts {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    output: WholeOutput,
    #[serde(default)]
    stop_reason: String,
    usage: Option<Counts>,
}

#[derive(Debug, Deserialize)]
struct WholeOutput {
    message: WholeMessage,
}

#[derive(Debug, Deserialize)]
struct WholeMessage {
    content: Vec<Block>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    reasoning_content: Option<WholeThought>,
    tool_use: Option<ToolUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WholeThought {
    reasoning_text: Option<WholeText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WholeText {
    text: String,
}

impl Interpreter {
    pub(super) const fn new(progress: Progress) -> Self {
        Self { progress }
    }

    fn parsed<T: DeserializeOwned>(&mut self, text: &str, out: &mut Out) -> Result<T, CompletionError> {
        serde_json::from_str(text).map_err(|error| self.broken(&error, text, out))
    }

    fn broken(&mut self, error: &serde_json::Error, text: &str, out: &mut Out) -> CompletionError {
        self.progress.abandon(out);
        not_understood("an event is not what it should be", error, text)
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Out) -> Result<(), CompletionError> {
        self.progress.text(delta.text.as_deref().unwrap_or_default(), out);
        let thought = delta.reasoning_content.as_ref().and_then(|thought| thought.text.as_deref());
        Progress::reasoning(thought.unwrap_or_default(), out);
        match delta.tool_use.as_ref().map(|piece| piece.input.as_ref()) {
            Some(input) if !input.is_empty() && !self.progress.calls.is_empty() => {
                self.progress.calls.push(None, "", "", input)
            }
            _ => Ok(()),
        }
    }

    fn call(&mut self, call: &ToolUse) -> Result<(), CompletionError> {
        let input = call.input.as_ref().map(|input| input.get()).unwrap_or_default();
        self.progress.calls.push_whole(&call.tool_use_id, &call.name, input)
    }

    fn stop(&mut self, reason: &str, out: &mut Out) -> Result<(), CompletionError> {
        self.progress.finish(match reason {
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
            "tool_use" => FinishReason::ToolCalls,
            "malformed_model_output" | "malformed_tool_use" => {
                self.progress.abandon(out);
                let detail = format!("{reason}: the model did not answer as it should");
                return Err(CompletionError::Protocol { detail });
            }
            // `end_turn`, `stop_sequence`.
            _ => FinishReason::Stop,
        });
        Ok(())
    }

    fn count(&mut self, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        let cached_tokens = counts.cache_read_input_tokens;
        let fresh = counts.input_tokens.saturating_add(counts.cache_write_input_tokens);
        self.progress.usage(Usage {
            prompt_tokens: fresh.saturating_add(cached_tokens),
            completion_tokens: counts.output_tokens,
            cached_tokens,
            ..Usage::default()
        });
    }
}

impl Interpret for Interpreter {
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        if self.progress.is_over() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        match name {
            b"contentBlockStart" => {
                let start: Start = self.parsed(&text, out)?;
                start.start.tool_use.map_or(Ok(()), |call| self.call(&call))
            }
            b"contentBlockDelta" => match serde_json::from_str::<DeltaEvent<'_>>(&text) {
                Ok(event) => self.delta(&event.delta, out),
                Err(error) => Err(self.broken(&error, &text, out)),
            },
            b"messageStop" => {
                let stop: Stop = self.parsed(&text, out)?;
                self.stop(&stop.stop_reason, out)
            }
            b"metadata" => {
                let metadata: Metadata = self.parsed(&text, out)?;
                self.count(metadata.usage);
                if self.progress.is_finishing() {
                    self.progress.end(FinishReason::Stop, out);
                }
                Ok(())
            }
            // `messageStart` and `contentBlockStop` say nothing new, and what is yet to be invented is passed over.
            _ => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        let whole = match serde_json::from_str::<Whole>(&text) {
            Ok(whole) => whole,
            Err(error) => {
                let object = serde_json::from_str::<Value>(&text).unwrap_or_default();
                if object["message"].is_string() {
                    return Err(self.progress.refuse(&object, out));
                }
                return Err(not_understood("it is not the JSON of an answer", &error, &text));
            }
        };
        for block in whole.output.message.content {
            self.progress.text(block.text.as_deref().unwrap_or_default(), out);
            let thought = block.reasoning_content.and_then(|thought| thought.reasoning_text);
            Progress::reasoning(thought.map(|thought| thought.text).as_deref().unwrap_or_default(), out);
            block.tool_use.map_or(Ok(()), |call| self.call(&call))?;
        }
        self.count(whole.usage);
        self.stop(&whole.stop_reason, out)?;
        self.progress.end(FinishReason::Stop, out);
        Ok(())
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn told(&self) -> &Progress {
        &self.progress
    }
}

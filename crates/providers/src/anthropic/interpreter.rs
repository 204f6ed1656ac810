//! Makes sense of an answer of Anthropic's, event by event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use stoa_model::completion::{CompletionError, FinishReason, Usage};

use crate::answer::{Interpret, Out, Progress, not_understood};

#[derive(Debug)]
pub(super) struct Interpreter {
    progress: Progress,
    counts: Counts,
    /// The arguments that the call came with at once; they count when no piece of them follows.
    given: Option<String>,
}

/// Tokens as Anthropic counts them: what came from a cache or went into it is no part of the input.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    usage: Option<Counts>,
    error: Option<Value>,
}

/// The whole answer, or its frame at the beginning of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    usage: Option<Counts>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a serde_json::value::RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

impl Interpreter {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, counts: Counts::default(), given: None }
    }

    fn count(&mut self, counts: Option<Counts>) {
        let Some(new) = counts else { return };
        let known = &mut self.counts;
        known.input_tokens = new.input_tokens.or(known.input_tokens);
        known.cache_creation_input_tokens = new.cache_creation_input_tokens.or(known.cache_creation_input_tokens);
        known.cache_read_input_tokens = new.cache_read_input_tokens.or(known.cache_read_input_tokens);
        known.output_tokens = new.output_tokens.or(known.output_tokens);
        known.output_tokens_details = new.output_tokens_details.or(known.output_tokens_details);
        let cached_tokens = known.cache_read_input_tokens.unwrap_or(0);
        let fresh = known.input_tokens.unwrap_or(0).saturating_add(known.cache_creation_input_tokens.unwrap_or(0));
        let completion_tokens = known.output_tokens.unwrap_or(0);
        let reasoning = known.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or(0);
        self.progress.usage(Usage {
            prompt_tokens: fresh.saturating_add(cached_tokens),
            completion_tokens,
            cached_tokens,
            reasoning_tokens: reasoning.min(completion_tokens),
            cost: None,
        });
    }

    fn block(&mut self, block: &Block<'_>, out: &mut Out) -> Result<(), CompletionError> {
        match block.kind.as_ref() {
            "text" => self.progress.text(block.text.as_deref().unwrap_or_default(), out),
            "thinking" => Progress::reasoning(block.thinking.as_deref().unwrap_or_default(), out),
            "tool_use" => {
                let id = block.id.as_deref().unwrap_or_default();
                self.progress.calls.push_whole(id, block.name.as_deref().unwrap_or_default(), "")?;
                self.given = block.input.map(|input| input.get().to_owned()).filter(|input| input != "{}");
            }
            // `redacted_thinking`, and what tools of Anthropic's own say: nothing that could be shown.
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Out) -> Result<(), CompletionError> {
        self.progress.text(delta.text.as_deref().unwrap_or_default(), out);
        Progress::reasoning(delta.thinking.as_deref().unwrap_or_default(), out);
        if let Some(piece) = delta.partial_json.as_deref().filter(|piece| !piece.is_empty())
            && !self.progress.calls.is_empty()
        {
            self.given = None;
            self.progress.calls.push(None, "", "", piece)?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), CompletionError> {
        match self.given.take() {
            Some(input) => self.progress.calls.push(None, "", "", &input),
            None => Ok(()),
        }
    }

    fn stop(&mut self, reason: Option<&str>) {
        if let Some(reason) = reason.and_then(finish_reason) {
            self.progress.finish(reason);
        }
    }
}

fn finish_reason(text: &str) -> Option<FinishReason> {
    Some(match text {
        "" => return None,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => FinishReason::ContentFilter,
        "tool_use" => FinishReason::ToolCalls,
        // `end_turn`, `stop_sequence`, `pause_turn`.
        _ => FinishReason::Stop,
    })
}

impl Interpret for Interpreter {
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let data = data.trim_ascii();
        if data.is_empty() || self.progress.is_over() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        let event = serde_json::from_str::<Event<'_>>(&text).map_err(|error| {
            self.progress.abandon(out);
            not_understood("an event is not what it should be", &error, &text)
        })?;
        if name == b"error" || event.error.as_ref().is_some_and(|error| !error.is_null()) {
            let object = serde_json::from_str::<Value>(&text).unwrap_or_default();
            return Err(self.progress.refuse(&object, out));
        }
        match event.kind.as_ref() {
            "message_start" => {
                self.count(event.message.and_then(|message| message.usage));
                Ok(())
            }
            "content_block_start" => event.content_block.map_or(Ok(()), |block| self.block(&block, out)),
            "content_block_delta" => event.delta.map_or(Ok(()), |delta| self.delta(&delta, out)),
            "content_block_stop" => self.end_block(),
            "message_delta" => {
                self.count(event.usage);
                self.stop(event.delta.and_then(|delta| delta.stop_reason).as_deref());
                Ok(())
            }
            "message_stop" => {
                self.progress.end(FinishReason::Stop, out);
                Ok(())
            }
            // `ping`, and what is yet to be invented: clients are told to pass over it.
            _ => Ok(()),
        }
    }

    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        let message = serde_json::from_str::<Message<'_>>(&text)
            .map_err(|error| not_understood("it is not the JSON of an answer", &error, &text))?;
        if message.error.is_some_and(|error| !error.is_null()) {
            let object = serde_json::from_str::<Value>(&text).unwrap_or_default();
            return Err(self.progress.refuse(&object, out));
        }
        let Some(blocks) = message.content else {
            return Err(CompletionError::Protocol { detail: "it holds no content".to_owned() });
        };
        for block in &blocks {
            self.block(block, out)?;
            self.end_block()?;
        }
        self.count(message.usage);
        self.stop(message.stop_reason.as_deref());
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

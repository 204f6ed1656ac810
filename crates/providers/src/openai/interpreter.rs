//! Makes sense of an answer in the OpenAI protocol, event by event.

use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::completion::{CompletionError, FinishReason};

use super::usage::usage;
use super::wire::{self, CallDelta, Choice, Chunk, Delta};
use crate::answer::{Interpret, Out, Progress, not_understood};
use crate::provider::failure;

#[derive(Debug)]
pub(super) struct Interpreter {
    progress: Progress,
}

impl Interpreter {
    pub(super) const fn new(progress: Progress) -> Self {
        Self { progress }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, text: &str, out: &mut Out) -> Result<(), CompletionError> {
        if let Some(usage) = chunk.usage.as_ref().and_then(usage) {
            self.progress.usage(usage);
        } else if let Some(usage) = chunk.x_groq.as_ref().and_then(|value| usage(value.get("usage")?)) {
            self.progress.usage(usage);
        }
        let is_error = chunk.error.as_ref().is_some_and(|error| !error.is_null())
            || chunk.object.as_ref().is_some_and(|object| object.0 == "error");
        if is_error {
            return Err(self.refusal(text, out));
        }
        // Never more than one was asked for; a server that sends more sends the first as 0.
        let choices = chunk.choices.iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0);
        for choice in choices {
            self.choice(choice, out)?;
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice<'_>, out: &mut Out) -> Result<(), CompletionError> {
        if let Some(usage) = choice.usage.as_ref().and_then(usage) {
            self.progress.usage(usage);
        }
        if let Some(delta) = choice.delta.as_ref().or(choice.message.as_ref()) {
            self.delta(delta, out)?;
        }
        if let Some(error) = choice.error.as_ref().filter(|error| !error.is_null()) {
            return Err(self.progress.refuse(error, out));
        }
        if let Some(reason) = choice.finish_reason.as_ref().and_then(|reason| wire::finish_reason(&reason.0)) {
            self.progress.finish(reason);
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Out) -> Result<(), CompletionError> {
        // Servers on the way from one name to the other send both, with the same text.
        let reasoning =
            if delta.reasoning_content.text.is_empty() { &delta.reasoning } else { &delta.reasoning_content };
        Progress::reasoning(&reasoning.text, out);
        Progress::reasoning(&delta.content.thinking, out);
        self.progress.text(&delta.content.text, out);
        Progress::plain(&delta.refusal.text, out);
        delta.tool_calls.iter().flatten().try_for_each(|call| self.call(call))
    }

    fn call(&mut self, call: &CallDelta<'_>) -> Result<(), CompletionError> {
        let id = call.id.as_ref().map_or("", |id| &id.0);
        let function = call.function.as_ref();
        let name = function.and_then(|function| function.name.as_ref()).map_or("", |name| &name.0);
        let raw = function.and_then(|function| function.arguments).map(RawValue::get).filter(|raw| *raw != "null");
        let text = raw.and_then(|raw| serde_json::from_str::<String>(raw).ok());
        self.progress.calls.push(call.index, id, name, text.as_deref().or(raw).unwrap_or_default())
    }

    fn refusal(&mut self, text: &str, out: &mut Out) -> CompletionError {
        let object = serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text));
        self.progress.refuse(&object, out)
    }
}

impl Interpret for Interpreter {
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let data = data.trim_ascii();
        if data.is_empty() || self.progress.is_over() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.progress.end(FinishReason::Stop, out);
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        if name == b"error" {
            return Err(self.refusal(&text, out));
        }
        let chunk = serde_json::from_str::<Chunk<'_>>(&text).map_err(|error| {
            self.progress.abandon(out);
            not_understood("a chunk is not what it should be", &error, &text)
        })?;
        self.chunk(&chunk, &text, out)
    }

    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        let chunk = serde_json::from_str::<Chunk<'_>>(&text)
            .map_err(|error| not_understood("it is not the JSON of an answer", &error, &text))?;
        let has_choice = chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        self.chunk(&chunk, &text, out)?;
        if !has_choice {
            let detail = format!("it holds no choice: {}", failure::shortened(&text));
            return Err(CompletionError::Protocol { detail });
        }
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

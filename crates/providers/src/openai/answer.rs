//! Makes sense of an answer, event by event. Knows nothing of connections, so that recorded answers can be replayed.

use std::collections::VecDeque;

use serde_json::Value;
use stoa_model::completion::{CompletionError, CompletionEvent, FinishReason, PartKind, Usage};

use super::calls::Calls;
use super::failure;
use super::wire::{self, Choice, Chunk, Delta};
use crate::think::ThinkSplitter;

/// Fed the events of one answer, it says what they mean.
#[derive(Debug, Default)]
pub struct Interpreter {
    think: Option<ThinkSplitter>,
    calls: Calls,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    usage_told: Option<Usage>,
    ended: bool,
    /// Never shown in what an upstream says.
    secret: Option<String>,
}

impl Interpreter {
    /// `think_tags`: whether `<think>…</think>` at the beginning of the text is reasoning.
    pub fn new(think_tags: bool, secret: Option<String>) -> Self {
        Self { think: think_tags.then(ThinkSplitter::default), secret, ..Self::default() }
    }

    /// Whether the answer has said all that it has to say.
    pub const fn is_over(&self) -> bool {
        self.ended
    }

    /// Whether only usage and end mark may follow.
    pub const fn is_finishing(&self) -> bool {
        self.finish.is_some()
    }

    /// One server-sent event.
    pub fn event(
        &mut self,
        name: &[u8],
        data: &[u8],
        out: &mut VecDeque<CompletionEvent>,
    ) -> Result<(), CompletionError> {
        let data = data.trim_ascii();
        if data.is_empty() || self.ended {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.end(FinishReason::Stop, out);
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        if name == b"error" {
            return Err(self.refusal(&text, out));
        }
        let chunk = serde_json::from_str::<Chunk<'_>>(&text).map_err(|error| {
            self.abandon(out);
            not_understood("a chunk is not what it should be", &error, &text)
        })?;
        self.chunk(&chunk, &text, out)
    }

    /// A whole answer in one piece of JSON.
    pub fn whole(&mut self, body: &[u8], out: &mut VecDeque<CompletionEvent>) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        let chunk = serde_json::from_str::<Chunk<'_>>(&text)
            .map_err(|error| not_understood("it is not the JSON of an answer", &error, &text))?;
        let has_choice = chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        self.chunk(&chunk, &text, out)?;
        if !has_choice {
            let detail = format!("it holds no choice: {}", failure::shortened(&text));
            return Err(CompletionError::Protocol { detail });
        }
        self.end(FinishReason::Stop, out);
        Ok(())
    }

    /// The connection has ended.
    pub fn close(&mut self, out: &mut VecDeque<CompletionEvent>) -> Result<(), CompletionError> {
        match self.finish {
            _ if self.ended => Ok(()),
            Some(reason) => {
                self.end(reason, out);
                Ok(())
            }
            None => {
                self.flush(out);
                self.tell_usage(out);
                Err(CompletionError::CutOff)
            }
        }
    }

    /// What is known when the answer fails: text held back, and what it has cost.
    pub(crate) fn abandon(&mut self, out: &mut VecDeque<CompletionEvent>) {
        self.flush(out);
        self.tell_usage(out);
    }

    fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        text: &str,
        out: &mut VecDeque<CompletionEvent>,
    ) -> Result<(), CompletionError> {
        if let Some(usage) = chunk.usage.as_ref().and_then(wire::usage) {
            self.usage = Some(usage);
        } else if let Some(usage) = chunk.x_groq.as_ref().and_then(|value| wire::usage(value.get("usage")?)) {
            self.usage = Some(usage);
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

    fn choice(&mut self, choice: &Choice<'_>, out: &mut VecDeque<CompletionEvent>) -> Result<(), CompletionError> {
        if let Some(usage) = choice.usage.as_ref().and_then(wire::usage) {
            self.usage = Some(usage);
        }
        if let Some(delta) = choice.delta.as_ref().or(choice.message.as_ref()) {
            self.delta(delta, out)?;
        }
        if let Some(error) = choice.error.as_ref().filter(|error| !error.is_null()) {
            self.abandon(out);
            return Err(failure::of_object(error, self.secret.as_deref()));
        }
        if let Some(reason) = choice.finish_reason.as_ref().and_then(|reason| wire::finish_reason(&reason.0)) {
            self.finish.get_or_insert(reason);
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut VecDeque<CompletionEvent>) -> Result<(), CompletionError> {
        // Servers on the way from one name to the other send both, with the same text.
        let reasoning =
            if delta.reasoning_content.text.is_empty() { &delta.reasoning } else { &delta.reasoning_content };
        push(out, PartKind::Reasoning, &reasoning.text);
        push(out, PartKind::Reasoning, &delta.content.thinking);
        if !delta.content.text.is_empty() {
            match &mut self.think {
                Some(think) => think.push(&delta.content.text, |part, text| append(out, part, text)),
                None => push(out, PartKind::Text, &delta.content.text),
            }
        }
        push(out, PartKind::Text, &delta.refusal.text);
        delta.tool_calls.iter().flatten().try_for_each(|call| self.calls.push(call))
    }

    fn end(&mut self, reason: FinishReason, out: &mut VecDeque<CompletionEvent>) {
        self.flush(out);
        let mut reason = self.finish.unwrap_or(reason);
        if !self.calls.is_empty() && reason != FinishReason::Length {
            // Some servers say `stop`.
            reason = FinishReason::ToolCalls;
            out.extend(self.calls.take().map(CompletionEvent::ToolCall));
        }
        self.tell_usage(out);
        self.ended = true;
        out.push_back(CompletionEvent::Finish(reason));
    }

    fn flush(&mut self, out: &mut VecDeque<CompletionEvent>) {
        if let Some(think) = &mut self.think {
            think.finish(|part, text| append(out, part, text));
        }
    }

    fn tell_usage(&mut self, out: &mut VecDeque<CompletionEvent>) {
        if let Some(usage) = self.usage
            && self.usage_told != Some(usage)
        {
            self.usage_told = Some(usage);
            out.push_back(CompletionEvent::Usage(usage));
        }
    }

    fn refusal(&mut self, text: &str, out: &mut VecDeque<CompletionEvent>) -> CompletionError {
        self.abandon(out);
        let secret = self.secret.as_deref();
        match serde_json::from_str::<Value>(text) {
            Ok(object) => failure::of_object(&object, secret),
            Err(_) => failure::of_object(&Value::from(text), secret),
        }
    }
}

fn push(out: &mut VecDeque<CompletionEvent>, part: PartKind, text: &str) {
    if !text.is_empty() {
        append(out, part, text.to_owned());
    }
}

fn append(out: &mut VecDeque<CompletionEvent>, part: PartKind, text: String) {
    out.push_back(CompletionEvent::Delta { part, text });
}

fn not_understood(what: &str, error: &serde_json::Error, text: &str) -> CompletionError {
    let shown: String = text.chars().take(120).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    CompletionError::Protocol { detail: format!("{what} ({error}): {}{more}", failure::shortened(&shown)) }
}

//! How far an answer has come: what it has said, what it has not told yet, and how it ends.

use serde_json::Value;
use stoa_model::completion::{CompletionError, CompletionEvent, FinishReason, PartKind, Usage};

use super::Out;
use super::calls::Calls;
use super::think::ThinkSplitter;
use crate::provider::failure;

#[derive(Debug, Default)]
pub(crate) struct Progress {
    think: Option<ThinkSplitter>,
    pub(crate) calls: Calls,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    usage_told: Option<Usage>,
    ended: bool,
    secret: Option<String>,
}

impl Progress {
    /// `think_tags`: whether `<think>…</think>` at the beginning of the text is reasoning. `token` becomes part of the ids of
    /// calls that come without one, which have to be told apart through a whole talk. `secret` is never shown in what an
    /// upstream says.
    pub(crate) fn new(think_tags: bool, token: &str, secret: Option<String>) -> Self {
        let think = think_tags.then(ThinkSplitter::default);
        Self { think, calls: Calls::new(token), secret, ..Self::default() }
    }

    /// Whether the answer has said all that it has to say.
    pub(crate) const fn is_over(&self) -> bool {
        self.ended
    }

    /// Whether only usage and end mark may follow.
    pub(crate) const fn is_finishing(&self) -> bool {
        self.finish.is_some()
    }

    pub(crate) fn text(&mut self, text: &str, out: &mut Out) {
        match &mut self.think {
            _ if text.is_empty() => {}
            Some(think) => think.push(text, |part, text| append(out, part, text)),
            None => append(out, PartKind::Text, text.to_owned()),
        }
    }

    pub(crate) fn reasoning(text: &str, out: &mut Out) {
        if !text.is_empty() {
            append(out, PartKind::Reasoning, text.to_owned());
        }
    }

    /// Text in which no thought hides.
    pub(crate) fn plain(text: &str, out: &mut Out) {
        if !text.is_empty() {
            append(out, PartKind::Text, text.to_owned());
        }
    }

    pub(crate) const fn usage(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// The first reason counts.
    pub(crate) fn finish(&mut self, reason: FinishReason) {
        self.finish.get_or_insert(reason);
    }

    /// The answer is whole. `reason` holds when none was given.
    pub(crate) fn end(&mut self, reason: FinishReason, out: &mut Out) {
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

    /// The connection has ended.
    pub(crate) fn close(&mut self, out: &mut Out) -> Result<(), CompletionError> {
        match self.finish {
            _ if self.ended => Ok(()),
            Some(reason) => {
                self.end(reason, out);
                Ok(())
            }
            None => {
                self.abandon(out);
                Err(CompletionError::CutOff)
            }
        }
    }

    /// What is known when the answer fails: text held back, and what it has cost.
    pub(crate) fn abandon(&mut self, out: &mut Out) {
        self.flush(out);
        self.tell_usage(out);
    }

    /// The answer fails with an error object.
    pub(crate) fn refuse(&mut self, object: &Value, out: &mut Out) -> CompletionError {
        self.abandon(out);
        failure::of_object(object, self.secret.as_deref())
    }

    fn flush(&mut self, out: &mut Out) {
        if let Some(think) = &mut self.think {
            think.finish(|part, text| append(out, part, text));
        }
    }

    fn tell_usage(&mut self, out: &mut Out) {
        if let Some(usage) = self.usage
            && self.usage_told != Some(usage)
        {
            self.usage_told = Some(usage);
            out.push_back(CompletionEvent::Usage(usage));
        }
    }
}

fn append(out: &mut Out, part: PartKind, text: String) {
    out.push_back(CompletionEvent::Delta { part, text });
}

/// An event or an answer that is not of the protocol.
pub(crate) fn not_understood(what: &str, error: &serde_json::Error, text: &str) -> CompletionError {
    let shown: String = text.chars().take(120).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    CompletionError::Protocol { detail: format!("{what} ({error}): {}{more}", failure::shortened(&shown)) }
}

//! Makes sense of an answer of Ollama's, line by line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::completion::{CompletionError, FinishReason, Usage};

use crate::answer::{Interpret, Out, Progress, not_understood};

#[derive(Debug)]
pub(super) struct Interpreter {
    progress: Progress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    done: bool,
    #[serde(borrow)]
    done_reason: Option<Cow<'a, str>>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl Interpreter {
    pub(super) const fn new(progress: Progress) -> Self {
        Self { progress }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out) -> Result<(), CompletionError> {
        Progress::reasoning(message.thinking.as_deref().unwrap_or_default(), out);
        self.progress.text(message.content.as_deref().unwrap_or_default(), out);
        for call in message.tool_calls.iter().flatten() {
            let Some(function) = &call.function else { continue };
            let (id, name) = (call.id.as_deref().unwrap_or_default(), function.name.as_deref().unwrap_or_default());
            self.progress.calls.push_whole(id, name, function.arguments.map(RawValue::get).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Interpret for Interpreter {
    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        if self.progress.is_over() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        let line = serde_json::from_str::<Line<'_>>(&text).map_err(|error| {
            self.progress.abandon(out);
            not_understood("a line is not what it should be", &error, &text)
        })?;
        if line.error.is_some_and(|error| !error.is_null()) {
            let object = serde_json::from_str::<Value>(&text).unwrap_or_default();
            return Err(self.progress.refuse(&object, out));
        }
        if let Some(message) = &line.message {
            self.message(message, out)?;
        }
        if line.prompt_eval_count.is_some() || line.eval_count.is_some() {
            self.progress.usage(Usage {
                prompt_tokens: line.prompt_eval_count.unwrap_or(0),
                completion_tokens: line.eval_count.unwrap_or(0),
                ..Usage::default()
            });
        }
        if line.done {
            let reason = match line.done_reason.as_deref() {
                Some("length") => FinishReason::Length,
                _ => FinishReason::Stop,
            };
            self.progress.end(reason, out);
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        self.event(b"", body, out)?;
        self.progress.close(out)
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn told(&self) -> &Progress {
        &self.progress
    }
}

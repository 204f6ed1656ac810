//! Makes sense of an answer of OpenAI's Responses, event by event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use stoa_model::completion::{CompletionError, FinishReason};

use crate::answer::{Interpret, Out, Progress, not_understood};
use crate::openai::usage;

#[derive(Debug)]
pub(super) struct Interpreter {
    progress: Progress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Option<Cow<'a, str>>,
    summary_index: Option<u64>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow)]
    output: Option<Vec<Item<'a>>>,
    usage: Option<Value>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    incomplete_details: Option<Value>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    call_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Vec<Part<'a>>>,
    #[serde(borrow)]
    summary: Option<Vec<Part<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refusal: Option<Cow<'a, str>>,
}

impl Interpreter {
    pub(super) const fn new(progress: Progress) -> Self {
        Self { progress }
    }

    fn call(&mut self, item: &Item<'_>) -> Result<(), CompletionError> {
        if item.kind != "function_call" {
            return Ok(());
        }
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        self.progress.calls.push_whole(&text(&item.call_id), &text(&item.name), &text(&item.arguments))
    }

    /// How a response has ended.
    fn end(&mut self, response: &Response<'_>, out: &mut Out) -> Result<(), CompletionError> {
        if let Some(usage) = response.usage.as_ref().and_then(usage) {
            self.progress.usage(usage);
        }
        let failed = matches!(response.status.as_deref(), Some("failed" | "cancelled"));
        if let Some(error) = response.error.as_ref().filter(|error| !error.is_null()) {
            return Err(self.progress.refuse(error, out));
        }
        if failed {
            return Err(self.progress.refuse(&Value::from("the response has failed"), out));
        }
        let why = response.incomplete_details.as_ref().and_then(|details| details["reason"].as_str());
        let reason = match why {
            Some("content_filter") => FinishReason::ContentFilter,
            Some(_) => FinishReason::Length,
            None => FinishReason::Stop,
        };
        self.progress.end(reason, out);
        Ok(())
    }
}

impl Interpret for Interpreter {
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" || self.progress.is_over() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        let event = serde_json::from_str::<Event<'_>>(&text).map_err(|error| {
            self.progress.abandon(out);
            not_understood("an event is not what it should be", &error, &text)
        })?;
        if name == b"error" || event.kind == "error" || event.error.as_ref().is_some_and(|error| !error.is_null()) {
            let object = serde_json::from_str::<Value>(&text).unwrap_or_default();
            return Err(self.progress.refuse(&object, out));
        }
        let delta = event.delta.as_deref().unwrap_or_default();
        match event.kind.as_ref() {
            "response.output_text.delta" => self.progress.text(delta, out),
            "response.refusal.delta" => Progress::plain(delta, out),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                Progress::reasoning(delta, out);
            }
            // A summary comes in paragraphs.
            "response.reasoning_summary_part.added" if event.summary_index.unwrap_or(0) > 0 => {
                Progress::reasoning("\n\n", out);
            }
            "response.output_item.done" => {
                if let Some(item) = &event.item {
                    self.call(item)?;
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                return self.end(&event.response.unwrap_or_default(), out);
            }
            // What tells only how far it has come, and what tools of OpenAI's own do.
            _ => {}
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        let response = serde_json::from_str::<Response<'_>>(&text)
            .map_err(|error| not_understood("it is not the JSON of an answer", &error, &text))?;
        for item in response.output.iter().flatten() {
            for part in item.summary.iter().chain(&item.content).flatten() {
                let text = part.text.as_deref().unwrap_or_default();
                match item.kind.as_ref() {
                    "reasoning" => Progress::reasoning(text, out),
                    "message" => self.progress.text(text, out),
                    _ => {}
                }
                Progress::plain(part.refusal.as_deref().unwrap_or_default(), out);
            }
            self.call(item)?;
        }
        if response.output.is_none() && response.error.is_none() {
            return Err(CompletionError::Protocol { detail: "it holds no output".to_owned() });
        }
        self.end(&response, out)
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn told(&self) -> &Progress {
        &self.progress
    }
}

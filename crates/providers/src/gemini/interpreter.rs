//! Makes sense of an answer of Gemini's, event by event.

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
#[serde(default, rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    usage_metadata: Option<Counts>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    finish_message: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    thought: Option<bool>,
    #[serde(borrow)]
    function_call: Option<Call<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Counts {
    prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let prompt_tokens = counts.prompt_token_count.unwrap_or(0);
        let reasoning_tokens = counts.thoughts_token_count.unwrap_or(0);
        Self {
            prompt_tokens,
            // Thoughts are no candidates, and an answer all the same.
            completion_tokens: counts.candidates_token_count.unwrap_or(0).saturating_add(reasoning_tokens),
            cached_tokens: counts.cached_content_token_count.unwrap_or(0).min(prompt_tokens),
            reasoning_tokens,
            cost: None,
        }
    }
}

impl Interpreter {
    pub(super) const fn new(progress: Progress) -> Self {
        Self { progress }
    }

    fn chunk(&mut self, text: &str, out: &mut Out) -> Result<(), CompletionError> {
        let chunk = serde_json::from_str::<Chunk<'_>>(text).map_err(|error| {
            self.progress.abandon(out);
            not_understood("a chunk is not what it should be", &error, text)
        })?;
        if chunk.error.is_some_and(|error| !error.is_null()) {
            let object = serde_json::from_str::<Value>(text).unwrap_or_default();
            return Err(self.progress.refuse(&object, out));
        }
        if let Some(counts) = chunk.usage_metadata {
            self.progress.usage(counts.into());
        }
        if chunk.prompt_feedback.and_then(|feedback| feedback.block_reason).is_some() {
            self.progress.finish(FinishReason::ContentFilter);
        }
        // Never more than one was asked for.
        let candidates = chunk.candidates.unwrap_or_default();
        for candidate in candidates.iter().filter(|candidate| candidate.index.unwrap_or(0) == 0) {
            self.candidate(candidate, out)?;
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: &Candidate<'_>, out: &mut Out) -> Result<(), CompletionError> {
        for part in candidate.content.iter().flat_map(|content| content.parts.iter().flatten()) {
            let text = part.text.as_deref().unwrap_or_default();
            if part.thought == Some(true) {
                Progress::reasoning(text, out);
            } else {
                self.progress.text(text, out);
            }
            if let Some(call) = &part.function_call {
                let (id, name) = (call.id.as_deref().unwrap_or_default(), call.name.as_deref().unwrap_or_default());
                self.progress.calls.push_whole(id, name, call.args.map(RawValue::get).unwrap_or_default())?;
            }
        }
        match candidate.finish_reason.as_deref() {
            None | Some("" | "FINISH_REASON_UNSPECIFIED") => {}
            Some("MAX_TOKENS") => self.progress.finish(FinishReason::Length),
            Some(
                "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY",
            ) => self.progress.finish(FinishReason::ContentFilter),
            Some(reason @ ("MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS")) => {
                self.progress.abandon(out);
                let more = candidate.finish_message.as_deref().unwrap_or("the model called no tool as it should");
                let detail = format!("{reason}: {}", crate::provider::failure::shortened(more));
                return Err(CompletionError::Protocol { detail });
            }
            Some(_) => self.progress.finish(FinishReason::Stop),
        }
        Ok(())
    }
}

impl Interpret for Interpreter {
    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let data = data.trim_ascii();
        if data.is_empty() || self.progress.is_over() {
            return Ok(());
        }
        self.chunk(&String::from_utf8_lossy(data), out)
    }

    /// One chunk, or a list of them, which is what comes without `alt=sse`.
    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError> {
        let text = String::from_utf8_lossy(body);
        if text.trim_start().starts_with('[') {
            let chunks: Vec<&RawValue> = serde_json::from_str(&text)
                .map_err(|error| not_understood("it is not the JSON of an answer", &error, &text))?;
            chunks.iter().try_for_each(|chunk| self.chunk(chunk.get(), out))?;
        } else {
            self.chunk(&text, out)?;
        }
        self.progress.close(out)
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn told(&self) -> &Progress {
        &self.progress
    }
}

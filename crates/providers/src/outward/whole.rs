//! A whole answer in one piece of JSON, as OpenAI's two older requests have it.

use serde::Serialize;
use stoa_model::Timestamp;

use super::encode::{Form, WireUsage, reason_name};
use super::gather::Collector;
use super::logprobs::WireLogProbs;
use crate::openai::WireCall;

impl Collector {
    /// The JSON of the whole answer.
    pub fn to_json(&self, form: Form, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        match form {
            Form::Chat => self.chat(id, model, created),
            Form::Text => self.plain(id, model, created),
        }
    }

    fn plain(&self, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        let answer = serde_json::json!({
            "id": id,
            "object": Form::Text.chunk(),
            "created": created.as_seconds(),
            "model": model,
            "choices": [{
                "index": 0,
                "text": self.text(),
                "logprobs": null,
                "finish_reason": reason_name(self.finish()),
            }],
            "usage": self.usage.map(WireUsage::from),
        });
        answer.to_string().into_bytes()
    }

    fn chat(&self, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        #[derive(Serialize)]
        struct Answer<'a> {
            id: &'a str,
            object: &'static str,
            created: i64,
            model: &'a str,
            choices: [Choice<'a>; 1],
            #[serde(skip_serializing_if = "Option::is_none")]
            usage: Option<WireUsage>,
        }
        #[derive(Serialize)]
        struct Choice<'a> {
            index: u32,
            message: Message<'a>,
            logprobs: Option<WireLogProbs<'a>>,
            finish_reason: &'static str,
        }
        #[derive(Serialize)]
        struct Message<'a> {
            role: &'static str,
            content: Option<&'a str>,
            #[serde(skip_serializing_if = "str::is_empty")]
            reasoning_content: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tool_calls: Vec<WireCall<'a>>,
            refusal: (),
        }
        let (text, reasoning) = (self.text(), self.reasoning());
        let tool_calls: Vec<_> = self.calls().map(|call| WireCall::new(call, None)).collect();
        let only_calls = text.is_empty() && !tool_calls.is_empty();
        let message = Message {
            role: "assistant",
            content: (!only_calls).then_some(text.as_str()),
            reasoning_content: &reasoning,
            tool_calls,
            refusal: (),
        };
        let logprobs = WireLogProbs::new(&self.logprobs);
        let answer = Answer {
            id,
            object: "chat.completion",
            created: created.as_seconds(),
            model,
            choices: [Choice { index: 0, message, logprobs, finish_reason: reason_name(self.finish()) }],
            usage: self.usage.map(WireUsage::from),
        };
        // Texts and numbers alone always serialise.
        serde_json::to_vec(&answer).unwrap_or_default()
    }
}

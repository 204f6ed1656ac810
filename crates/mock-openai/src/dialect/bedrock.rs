//! Bedrock's Converse: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Counted, FAILURE, Voice, together};
use crate::event_stream;

/// The id of the one call of an answer.
const CALL: &str = "tooluse_mock0";

#[derive(Default)]
pub(crate) struct Messages {
    index: usize,
    /// The type of the block that has begun.
    open: Option<&'static str>,
}

impl Messages {
    fn push(name: &str, data: &Value) -> Bytes {
        event_stream::event(name, data.to_string().as_bytes())
    }

    fn close(&mut self) -> Bytes {
        if self.open.take().is_none() {
            return Bytes::new();
        }
        self.index += 1;
        Self::push("contentBlockStop", &json!({"contentBlockIndex": self.index - 1}))
    }

    /// A piece of a block of that type. Only calls have an event at their beginning.
    fn piece(&mut self, kind: &'static str, delta: &Value) -> Bytes {
        let closed = if self.open == Some(kind) { Bytes::new() } else { self.close() };
        self.open = Some(kind);
        let data = json!({"contentBlockIndex": self.index, "delta": delta});
        together([closed, Self::push("contentBlockDelta", &data)])
    }
}

impl Voice for Messages {
    fn start(&mut self) -> Bytes {
        Self::push("messageStart", &json!({"role": "assistant"}))
    }

    fn thought(&mut self, text: &str) -> Bytes {
        self.piece("reasoning", &json!({"reasoningContent": {"text": text}}))
    }

    fn text(&mut self, text: &str) -> Bytes {
        self.piece("text", &json!({"text": text}))
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Bytes {
        let closed = self.close();
        let start = json!({"contentBlockIndex": self.index, "start": {"toolUse": {"toolUseId": CALL, "name": name}}});
        self.open = Some("call");
        let arguments = arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len().min(4));
        let first = self.piece("call", &json!({"toolUse": {"input": first}}));
        let second = self.piece("call", &json!({"toolUse": {"input": second}}));
        together([closed, Self::push("contentBlockStart", &start), first, second])
    }

    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes {
        let reason = if self.open == Some("call") { "tool_calls" } else { reason };
        let closed = self.close();
        let stop = Self::push("messageStop", &json!({"stopReason": stop_reason(reason)}));
        let metadata = json!({"usage": usage(counted.prompt, counted.answer), "metrics": {"latencyMs": 1}});
        together([closed, stop, Self::push("metadata", &metadata)])
    }

    fn malformed(&self) -> Bytes {
        let whole = event_stream::event("contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"text":"x"}}"#);
        // One bit of its checksum is another.
        whole.iter().enumerate().map(|(place, byte)| if place + 1 == whole.len() { byte ^ 1 } else { *byte }).collect()
    }

    fn failure(&self) -> Bytes {
        event_stream::exception("internalServerException", json!({"message": FAILURE}).to_string().as_bytes())
    }
}

fn stop_reason(reason: &str) -> &'static str {
    match reason {
        "length" => "max_tokens",
        "content_filter" => "content_filtered",
        "tool_calls" => "tool_use",
        _ => "end_turn",
    }
}

fn usage(prompt: u64, answer: u64) -> Value {
    json!({"inputTokens": prompt, "outputTokens": answer, "totalTokens": prompt + answer})
}

/// The whole answer in one piece, to `…/converse`.
pub(crate) fn whole(thought: &str, text: &str, reason: &str, prompt: u64, answer: u64) -> Value {
    let mut content = Vec::new();
    if !thought.is_empty() {
        content.push(json!({"reasoningContent": {"reasoningText": {"text": thought}}}));
    }
    content.push(json!({"text": text}));
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(reason), "usage": usage(prompt, answer), "metrics": {"latencyMs": 1},
    })
}

/// The name that Amazon has for what a status means, in the header `x-amzn-errortype`.
pub(crate) const fn error_type(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        400..500 => "ValidationException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

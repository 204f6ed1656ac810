//! The bytes of one stream's events. What does not change within a stream is written once.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// 2026-01-01: answers are the same on every run.
pub(crate) const CREATED: u64 = 1_767_225_600;

pub(crate) struct Chunks {
    head: Vec<u8>,
    tail: Vec<u8>,
    line: &'static [u8],
    prefix: &'static [u8],
    base: Value,
}

impl Chunks {
    pub(crate) fn new(id: &str, model: &str, scenario: &Scenario) -> Self {
        let prefix: &[u8] = if scenario.no_space { b"data:" } else { b"data: " };
        let line: &[u8] = if scenario.crlf { b"\r\n" } else { b"\n" };
        let base = json!({"id": id, "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "system_fingerprint": "mock"});
        let mut head = prefix.to_vec();
        head.extend_from_slice(base.to_string().trim_end_matches('}').as_bytes());
        head.extend_from_slice(br#","choices":[{"index":0,"delta":{""#);
        let mut tail = br#"},"logprobs":null,"finish_reason":null}]}"#.to_vec();
        tail.extend_from_slice(line);
        tail.extend_from_slice(line);
        Self { head, tail, line, prefix, base }
    }

    /// One token in the field `field` of the delta.
    pub(crate) fn token(&self, field: &str, text: &str) -> Bytes {
        let mut event = BytesMut::with_capacity(self.head.len() + self.tail.len() + text.len() + 32);
        event.extend_from_slice(&self.head);
        event.extend_from_slice(field.as_bytes());
        event.extend_from_slice(b"\":");
        event.extend_from_slice(Value::from(text).to_string().as_bytes());
        event.extend_from_slice(&self.tail);
        event.freeze()
    }

    pub(crate) fn start(&self) -> Bytes {
        self.whole(&json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]), None)
    }

    pub(crate) fn finish(&self, reason: &str, usage: Option<&Value>) -> Bytes {
        self.whole(&json!([{"index": 0, "delta": {}, "finish_reason": reason}]), usage)
    }

    /// A chunk with these choices.
    pub(crate) fn whole(&self, choices: &Value, usage: Option<&Value>) -> Bytes {
        let mut chunk = self.base.clone();
        chunk["choices"] = choices.clone();
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        self.data(&chunk.to_string())
    }

    /// A call of a tool, its arguments in two pieces.
    pub(crate) fn call(&self, name: &str, arguments: &Value) -> Bytes {
        let arguments = arguments.to_string();
        let (first, second) = arguments.split_at(1);
        let piece = |call: Value| self.whole(&json!([{"index": 0, "delta": {"tool_calls": [call]}}]), None);
        [
            piece(
                json!({"index": 0, "id": "call_mock", "type": "function", "function": {"name": name, "arguments": ""}}),
            ),
            piece(json!({"index": 0, "function": {"arguments": first}})),
            piece(json!({"index": 0, "function": {"arguments": second}})),
        ]
        .concat()
        .into()
    }

    /// Any text as the data of an event.
    pub(crate) fn data(&self, text: &str) -> Bytes {
        let mut event = BytesMut::with_capacity(text.len() + 16);
        event.put_slice(self.prefix);
        event.put_slice(text.as_bytes());
        event.put_slice(self.line);
        event.put_slice(self.line);
        event.freeze()
    }

    pub(crate) fn comment(&self) -> Bytes {
        [b": PROCESSING".as_slice(), self.line, self.line].concat().into()
    }
}

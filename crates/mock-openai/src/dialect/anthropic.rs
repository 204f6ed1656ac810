//! Anthropic's Messages: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Counted, FAILURE, Voice, event, together};

pub(crate) struct Messages {
    id: String,
    model: String,
    index: usize,
    /// The type of the block that has begun.
    open: Option<&'static str>,
}

impl Messages {
    pub(crate) fn new(id: &str, model: &str) -> Self {
        Self { id: id.to_owned(), model: model.to_owned(), index: 0, open: None }
    }

    fn push(name: &str, mut data: Value) -> Bytes {
        data["type"] = Value::from(name);
        event(name, &data.to_string())
    }

    fn close(&mut self) -> Bytes {
        if self.open.take().is_none() {
            return Bytes::new();
        }
        self.index += 1;
        Self::push("content_block_stop", json!({"index": self.index - 1}))
    }

    fn begin(&mut self, kind: &'static str, block: &Value) -> Bytes {
        if self.open == Some(kind) {
            return Bytes::new();
        }
        let closed = self.close();
        self.open = Some(kind);
        together([closed, Self::push("content_block_start", json!({"index": self.index, "content_block": block}))])
    }

    fn delta(&self, delta: &Value) -> Bytes {
        Self::push("content_block_delta", json!({"index": self.index, "delta": delta}))
    }
}

impl Voice for Messages {
    fn start(&mut self) -> Bytes {
        let message = json!({"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
        together([Self::push("message_start", json!({"message": message})), Self::push("ping", json!({}))])
    }

    fn thought(&mut self, text: &str) -> Bytes {
        let begun = self.begin("thinking", &json!({"type": "thinking", "thinking": "", "signature": ""}));
        together([begun, self.delta(&json!({"type": "thinking_delta", "thinking": text}))])
    }

    fn text(&mut self, text: &str) -> Bytes {
        let begun = self.begin("text", &json!({"type": "text", "text": ""}));
        together([begun, self.delta(&json!({"type": "text_delta", "text": text}))])
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Bytes {
        let closed = self.close();
        let begun = self.begin("tool_use", &json!({"type": "tool_use", "id": "toolu_mock", "name": name, "input": {}}));
        let arguments = arguments.to_string();
        let (first, second) = arguments.split_at(1);
        let piece = |piece: &str| self.delta(&json!({"type": "input_json_delta", "partial_json": piece}));
        let pieces = together([piece(first), piece(second)]);
        together([closed, begun, pieces, self.close()])
    }

    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes {
        let reason = match reason {
            "length" => "max_tokens",
            "content_filter" => "refusal",
            "tool_calls" => "tool_use",
            _ => "end_turn",
        };
        let usage = json!({"input_tokens": counted.prompt, "output_tokens": counted.answer,
            "output_tokens_details": {"thinking_tokens": counted.reasoning}});
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        together([
            self.close(),
            Self::push("message_delta", json!({"delta": delta, "usage": usage})),
            Self::push("message_stop", json!({})),
        ])
    }

    fn malformed(&self) -> Bytes {
        event("content_block_delta", r#"{"type":"content_block_delta","delta""#)
    }

    fn failure(&self) -> Bytes {
        Self::push("error", json!({"error": {"type": "overloaded_error", "message": FAILURE}}))
    }
}

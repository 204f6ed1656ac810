//! Gemini's stream of generated content: <https://ai.google.dev/api/generate-content>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Counted, FAILURE, Voice, event};

pub(crate) struct Chunks {
    model: String,
}

impl Chunks {
    pub(crate) fn new(model: &str) -> Self {
        Self { model: model.to_owned() }
    }

    fn part(&self, part: &Value) -> Bytes {
        let content = json!({"role": "model", "parts": [part]});
        self.chunk(&json!({"index": 0, "content": content}), None)
    }

    fn chunk(&self, candidate: &Value, usage: Option<Value>) -> Bytes {
        let mut chunk = json!({"candidates": [candidate], "modelVersion": self.model});
        if let Some(usage) = usage {
            chunk["usageMetadata"] = usage;
        }
        event("", &chunk.to_string())
    }
}

impl Voice for Chunks {
    fn start(&mut self) -> Bytes {
        Bytes::new()
    }

    fn thought(&mut self, text: &str) -> Bytes {
        self.part(&json!({"text": text, "thought": true}))
    }

    fn text(&mut self, text: &str) -> Bytes {
        self.part(&json!({"text": text}))
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Bytes {
        self.part(&json!({"functionCall": {"name": name, "args": arguments}}))
    }

    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes {
        let reason = match reason {
            "length" => "MAX_TOKENS",
            "content_filter" => "SAFETY",
            _ => "STOP",
        };
        let usage = json!({"promptTokenCount": counted.prompt,
            "candidatesTokenCount": counted.answer - counted.reasoning, "thoughtsTokenCount": counted.reasoning});
        self.chunk(&json!({"index": 0, "finishReason": reason}), Some(usage))
    }

    fn malformed(&self) -> Bytes {
        event("", r#"{"candidates":[{"content""#)
    }

    fn failure(&self) -> Bytes {
        event("", &json!({"error": {"code": 503, "message": FAILURE, "status": "UNAVAILABLE"}}).to_string())
    }
}

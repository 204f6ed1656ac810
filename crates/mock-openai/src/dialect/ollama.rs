//! Ollama's lines: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Counted, FAILURE, Voice};

pub(crate) struct Lines {
    model: String,
}

impl Lines {
    pub(crate) fn new(model: &str) -> Self {
        Self { model: model.to_owned() }
    }

    fn line(&self, message: &Value) -> Bytes {
        let line =
            json!({"model": self.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false});
        format!("{line}\n").into()
    }
}

impl Voice for Lines {
    fn start(&mut self) -> Bytes {
        Bytes::new()
    }

    fn thought(&mut self, text: &str) -> Bytes {
        self.line(&json!({"role": "assistant", "content": "", "thinking": text}))
    }

    fn text(&mut self, text: &str) -> Bytes {
        self.line(&json!({"role": "assistant", "content": text}))
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Bytes {
        let call = json!({"function": {"index": 0, "name": name, "arguments": arguments}});
        self.line(&json!({"role": "assistant", "content": "", "tool_calls": [call]}))
    }

    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes {
        let reason = if reason == "length" { "length" } else { "stop" };
        let line = json!({"model": self.model, "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason, "total_duration": 1,
            "prompt_eval_count": counted.prompt, "eval_count": counted.answer});
        format!("{line}\n").into()
    }

    fn malformed(&self) -> Bytes {
        Bytes::from_static(b"{\"model\":\"mock\",\"message\"\n")
    }

    fn failure(&self) -> Bytes {
        format!("{}\n", json!({"error": FAILURE})).into()
    }
}

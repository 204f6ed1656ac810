//! OpenAI's Responses: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Counted, FAILURE, Voice, event, together};

pub(crate) struct Events {
    id: String,
    model: String,
    sequence: u64,
}

impl Events {
    pub(crate) fn new(id: &str, model: &str) -> Self {
        Self { id: id.to_owned(), model: model.to_owned(), sequence: 0 }
    }

    fn push(&mut self, name: &str, mut data: Value) -> Bytes {
        data["type"] = Value::from(name);
        data["sequence_number"] = Value::from(self.sequence);
        self.sequence += 1;
        event(name, &data.to_string())
    }

    fn response(&self, status: &str) -> Value {
        json!({"id": self.id, "object": "response", "model": self.model, "status": status, "output": [], "error": null,
            "incomplete_details": null})
    }
}

impl Voice for Events {
    fn start(&mut self) -> Bytes {
        let response = self.response("in_progress");
        together([
            self.push("response.created", json!({"response": response})),
            self.push("response.in_progress", json!({"response": response})),
        ])
    }

    fn thought(&mut self, text: &str) -> Bytes {
        let data = json!({"item_id": "rs_mock", "output_index": 0, "summary_index": 0, "delta": text});
        self.push("response.reasoning_summary_text.delta", data)
    }

    fn text(&mut self, text: &str) -> Bytes {
        let data = json!({"item_id": "msg_mock", "output_index": 0, "content_index": 0, "delta": text, "logprobs": []});
        self.push("response.output_text.delta", data)
    }

    fn call(&mut self, name: &str, arguments: &Value) -> Bytes {
        let arguments = arguments.to_string();
        let item = json!({"type": "function_call", "id": "fc_mock", "call_id": "call_mock", "name": name,
            "arguments": arguments, "status": "completed"});
        let data = json!({"item_id": "fc_mock", "output_index": 0, "delta": arguments});
        together([
            self.push("response.function_call_arguments.delta", data),
            self.push("response.output_item.done", json!({"output_index": 0, "item": item})),
        ])
    }

    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes {
        let why = match reason {
            "length" => Some("max_output_tokens"),
            "content_filter" => Some("content_filter"),
            _ => None,
        };
        let mut response = self.response(if why.is_some() { "incomplete" } else { "completed" });
        response["usage"] = json!({"input_tokens": counted.prompt, "output_tokens": counted.answer,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": counted.reasoning},
            "total_tokens": counted.prompt + counted.answer});
        if let Some(why) = why {
            response["incomplete_details"] = json!({"reason": why});
        }
        let name = if why.is_some() { "response.incomplete" } else { "response.completed" };
        self.push(name, json!({"response": response}))
    }

    fn malformed(&self) -> Bytes {
        event("response.output_text.delta", r#"{"type":"response.output_text.delta","delta""#)
    }

    fn failure(&self) -> Bytes {
        let mut response = self.response("failed");
        response["error"] = json!({"code": "server_error", "message": FAILURE});
        let data = json!({"type": "response.failed", "sequence_number": self.sequence, "response": response});
        event("response.failed", &data.to_string())
    }
}

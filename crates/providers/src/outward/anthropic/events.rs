//! A streamed answer as Anthropic writes it: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use bytes::{BufMut as _, BytesMut};
use serde_json::{Value, json};
use stoa_model::completion::{CompletionEvent, FinishReason, PartKind, Usage};
use stoa_model::tools::ToolCall;

use super::error;
use super::whole::{WireUsage, stop_reason};
use crate::outward::ApiError;
use crate::outward::encode::write_json_text;
use crate::outward::events::{EventEncoder, Named, push_event};

/// Writes the events of one stream.
#[derive(Debug)]
pub struct MessageEvents {
    id: String,
    model: String,
    shows_thoughts: bool,
    /// The place of the next block.
    index: usize,
    /// What the block is made of that has begun and not ended.
    open: Option<PartKind>,
    usage: Usage,
}

impl MessageEvents {
    /// `id` as in `msg_…`; `model` as the request named it.
    pub const fn new(id: String, model: String, shows_thoughts: bool) -> Self {
        Self { id, model, shows_thoughts, index: 0, open: None, usage: zero() }
    }

    fn delta(&mut self, out: &mut BytesMut, part: PartKind, text: &str) {
        if part == PartKind::Reasoning && !self.shows_thoughts {
            return;
        }
        if self.open != Some(part) {
            self.close(out);
            let block = match part {
                PartKind::Text => json!({"type": "text", "text": ""}),
                PartKind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
            };
            self.start(out, &block);
            self.open = Some(part);
        }
        // The many events are written by hand; they differ in a few bytes only.
        out.put_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.put_slice(self.index.to_string().as_bytes());
        out.put_slice(match part {
            PartKind::Text => b",\"delta\":{\"type\":\"text_delta\",\"text\":".as_slice(),
            PartKind::Reasoning => b",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":",
        });
        write_json_text(out, text);
        out.put_slice(b"}}\n\n");
    }

    fn call(&mut self, out: &mut BytesMut, call: &ToolCall) {
        self.close(out);
        self.start(out, &json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}));
        let delta = json!({"type": "input_json_delta", "partial_json": call.arguments});
        push(out, "content_block_delta", json!({"index": self.index, "delta": delta}));
        self.stop(out);
    }

    fn start(&self, out: &mut BytesMut, block: &Value) {
        push(out, "content_block_start", json!({"index": self.index, "content_block": block}));
    }

    fn stop(&mut self, out: &mut BytesMut) {
        push(out, "content_block_stop", json!({"index": self.index}));
        self.index += 1;
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            self.stop(out);
        }
    }

    fn finish(&mut self, out: &mut BytesMut, reason: FinishReason) {
        self.close(out);
        let delta = json!({"stop_reason": stop_reason(reason), "stop_sequence": null});
        push(out, "message_delta", json!({"delta": delta, "usage": WireUsage::from(self.usage)}));
        push(out, "message_stop", json!({}));
    }
}

const fn zero() -> Usage {
    Usage { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, reasoning_tokens: 0, cost: None }
}

/// An event carries its name in its data too.
fn push(out: &mut BytesMut, name: &str, data: Value) {
    push_event(out, name, &Named { kind: name, data });
}

impl EventEncoder for MessageEvents {
    fn begin(&mut self, out: &mut BytesMut) {
        // What the prompt has cost is not known yet; the last `message_delta` tells it.
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": WireUsage::from(zero()),
        });
        push(out, "message_start", json!({"message": message}));
    }

    fn event(&mut self, out: &mut BytesMut, event: CompletionEvent) {
        match event {
            CompletionEvent::Delta { part, text } => self.delta(out, part, &text),
            CompletionEvent::ToolCall(call) => self.call(out, &call),
            CompletionEvent::Local(_) => {}
            CompletionEvent::Usage(usage) => self.usage = usage,
            CompletionEvent::Finish(reason) => self.finish(out, reason),
        }
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &ApiError) {
        push_event(out, "error", &error::object(failure, failure.status, None));
    }

    fn keep_alive(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }
}

//! A streamed response: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use bytes::BytesMut;
use serde_json::{Value, json};
use stoa_model::Timestamp;
use stoa_model::completion::{CompletionEvent, FinishReason, PartKind, Usage};
use stoa_model::tools::ToolCall;

use super::item::{Item, Part, Status};
use super::request::ResponsesRequest;
use super::whole::{Frame, State, last_status};
use crate::outward::ApiError;
use crate::outward::events::{EventEncoder, Named, push_event};

/// Writes the events of one stream, each with its number.
#[derive(Debug)]
pub struct ResponseEvents {
    frame: Frame,
    sequence: u64,
    items: Vec<Item>,
    /// The item that has begun and not ended, and what it has said.
    open: Option<(PartKind, String)>,
    usage: Option<Usage>,
}

impl ResponseEvents {
    /// `token` becomes part of the ids.
    pub fn new(token: &str, request: &ResponsesRequest, created: Timestamp) -> Self {
        let frame = Frame::new(token, request, created);
        Self { frame, sequence: 0, items: Vec::new(), open: None, usage: None }
    }

    fn push(&mut self, out: &mut BytesMut, name: &str, mut data: Value) {
        data["sequence_number"] = Value::from(self.sequence);
        self.sequence += 1;
        push_event(out, name, &Named { kind: name, data });
    }

    fn picture(&mut self, out: &mut BytesMut, name: &str, state: &State<'_>) {
        let response = self.frame.draw(state, &self.items, self.usage);
        self.push(out, name, json!({"response": response}));
    }

    fn index(&self) -> usize {
        self.items.len()
    }

    fn id(&self, part: PartKind) -> String {
        self.frame.item_id(if part == PartKind::Text { "msg" } else { "rs" }, self.index())
    }

    fn delta(&mut self, out: &mut BytesMut, part: PartKind, text: &str) {
        if self.open.as_ref().is_none_or(|(open, _)| *open != part) {
            self.close(out, Status::Completed);
            self.start(out, part);
        }
        if let Some((_, said)) = &mut self.open {
            said.push_str(text);
        }
        let place = json!({
            "item_id": self.id(part), "output_index": self.index(), "content_index": 0, "delta": text,
        });
        match part {
            PartKind::Text => {
                let mut data = place;
                data["logprobs"] = json!([]);
                self.push(out, "response.output_text.delta", data);
            }
            PartKind::Reasoning => self.push(out, "response.reasoning_text.delta", place),
        }
    }

    fn start(&mut self, out: &mut BytesMut, part: PartKind) {
        self.open = Some((part, String::new()));
        let item = item(part, self.id(part), Status::InProgress, Vec::new());
        self.push(out, "response.output_item.added", json!({"output_index": self.index(), "item": item}));
        self.part(out, "response.content_part.added", part, String::new());
    }

    fn part(&mut self, out: &mut BytesMut, name: &str, part: PartKind, text: String) {
        let data = json!({
            "item_id": self.id(part), "output_index": self.index(), "content_index": 0, "part": said(part, text),
        });
        self.push(out, name, data);
    }

    fn close(&mut self, out: &mut BytesMut, status: Status) {
        let Some((part, text)) = self.open.take() else { return };
        let id = self.id(part);
        let mut data = json!({"item_id": id, "output_index": self.index(), "content_index": 0, "text": text});
        match part {
            PartKind::Text => {
                data["logprobs"] = json!([]);
                self.push(out, "response.output_text.done", data);
            }
            PartKind::Reasoning => self.push(out, "response.reasoning_text.done", data),
        }
        self.part(out, "response.content_part.done", part, text.clone());
        let item = item(part, id, status, vec![said(part, text)]);
        self.done(out, item);
    }

    fn done(&mut self, out: &mut BytesMut, item: Item) {
        self.push(out, "response.output_item.done", json!({"output_index": self.index(), "item": item}));
        self.items.push(item);
    }

    fn call(&mut self, out: &mut BytesMut, call: &ToolCall) {
        self.close(out, Status::Completed);
        let (id, index) = (self.frame.item_id("fc", self.index()), self.index());
        let begun = ToolCall { arguments: String::new(), ..call.clone() };
        let item = Item::call(id.clone(), Status::InProgress, &begun);
        self.push(out, "response.output_item.added", json!({"output_index": index, "item": item}));
        let data = json!({"item_id": id, "output_index": index, "delta": call.arguments});
        self.push(out, "response.function_call_arguments.delta", data);
        let data = json!({"item_id": id, "output_index": index, "name": call.name, "arguments": call.arguments});
        self.push(out, "response.function_call_arguments.done", data);
        self.done(out, Item::call(id, Status::Completed, call));
    }

    fn finish(&mut self, out: &mut BytesMut, reason: FinishReason) {
        self.close(out, last_status(reason));
        let name = match reason {
            FinishReason::Length | FinishReason::ContentFilter => "response.incomplete",
            FinishReason::Stop | FinishReason::ToolCalls => "response.completed",
        };
        self.picture(out, name, &State::Ended(reason));
    }
}

const fn item(part: PartKind, id: String, status: Status, content: Vec<Part>) -> Item {
    match part {
        PartKind::Text => Item::message(id, status, content),
        PartKind::Reasoning => Item::reasoning(id, status, content),
    }
}

fn said(part: PartKind, text: String) -> Part {
    match part {
        PartKind::Text => Part::text(text),
        PartKind::Reasoning => Part::ReasoningText { text },
    }
}

impl EventEncoder for ResponseEvents {
    fn begin(&mut self, out: &mut BytesMut) {
        self.picture(out, "response.created", &State::Running);
        self.picture(out, "response.in_progress", &State::Running);
    }

    fn event(&mut self, out: &mut BytesMut, event: CompletionEvent) {
        match event {
            CompletionEvent::Delta { part, text } => self.delta(out, part, &text),
            CompletionEvent::ToolCall(call) => self.call(out, &call),
            CompletionEvent::Local(_) => {}
            CompletionEvent::Usage(usage) => self.usage = Some(usage),
            CompletionEvent::Finish(reason) => self.finish(out, reason),
        }
    }

    fn fail(&mut self, out: &mut BytesMut, error: &ApiError) {
        self.close(out, Status::Incomplete);
        self.picture(out, "response.failed", &State::Failed(error));
    }
}

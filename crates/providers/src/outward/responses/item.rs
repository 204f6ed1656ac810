//! The items of a response on the wire.

use serde::Serialize;
use stoa_model::tools::ToolCall;

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message { id: String, status: Status, role: &'static str, content: Vec<Part> },
    Reasoning { id: String, status: Status, summary: [(); 0], content: Vec<Part> },
    FunctionCall { id: String, status: Status, call_id: String, name: String, arguments: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    OutputText { text: String, annotations: [(); 0], logprobs: [(); 0] },
    ReasoningText { text: String },
}

impl Part {
    pub(super) const fn text(text: String) -> Self {
        Self::OutputText { text, annotations: [], logprobs: [] }
    }
}

impl Item {
    pub(super) const fn message(id: String, status: Status, content: Vec<Part>) -> Self {
        Self::Message { id, status, role: "assistant", content }
    }

    pub(super) const fn reasoning(id: String, status: Status, content: Vec<Part>) -> Self {
        Self::Reasoning { id, status, summary: [], content }
    }

    pub(super) fn call(id: String, status: Status, call: &ToolCall) -> Self {
        let ToolCall { id: call_id, name, arguments } = call.clone();
        Self::FunctionCall { id, status, call_id, name, arguments }
    }
}

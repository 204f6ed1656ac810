//! A response in one piece of JSON; the events of a stream carry it too.

use serde::Serialize;
use serde_json::{Value, json};
use stoa_model::Timestamp;
use stoa_model::completion::{FinishReason, Usage};

use super::item::{Item, Part, Status};
use super::request::{Echo, ResponsesRequest};
use crate::outward::ApiError;
use crate::outward::gather::{Collector, Piece};

/// What is the same in every picture of one response.
#[derive(Debug)]
pub(super) struct Frame {
    /// Without `resp_`: the ids of its items are made of it too.
    token: String,
    model: String,
    created: Timestamp,
    echo: Echo,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum State<'a> {
    Running,
    Ended(FinishReason),
    Failed(&'a ApiError),
}

#[derive(Serialize)]
struct Response<'a> {
    id: String,
    object: &'static str,
    created_at: i64,
    status: &'static str,
    error: Option<Value>,
    incomplete_details: Option<Value>,
    model: &'a str,
    output: &'a [Item],
    usage: Option<Value>,
    #[serde(flatten)]
    echo: &'a Echo,
}

impl Frame {
    pub(super) fn new(token: &str, request: &ResponsesRequest, created: Timestamp) -> Self {
        Self { token: token.to_owned(), model: request.model.clone(), created, echo: request.echo.clone() }
    }

    /// The id of the item in this place.
    pub(super) fn item_id(&self, kind: &str, index: usize) -> String {
        format!("{kind}_{}{index}", self.token)
    }

    pub(super) fn draw(&self, state: &State<'_>, output: &[Item], usage: Option<Usage>) -> Value {
        let status = match state {
            State::Running => "in_progress",
            State::Ended(FinishReason::Length | FinishReason::ContentFilter) => "incomplete",
            State::Ended(_) => "completed",
            State::Failed(_) => "failed",
        };
        let reason = match state {
            State::Ended(FinishReason::Length) => Some(json!({"reason": "max_output_tokens"})),
            State::Ended(FinishReason::ContentFilter) => Some(json!({"reason": "content_filter"})),
            _ => None,
        };
        let error = match state {
            State::Failed(error) => Some(json!({"code": code(error), "message": error.message})),
            _ => None,
        };
        let response = Response {
            id: format!("resp_{}", self.token),
            object: "response",
            created_at: self.created.as_seconds(),
            status,
            error,
            incomplete_details: reason,
            model: &self.model,
            output,
            usage: usage.map(wire_usage),
            echo: &self.echo,
        };
        // Texts and numbers alone always serialise.
        serde_json::to_value(&response).unwrap_or_default()
    }
}

/// The names that OpenAI's clients know.
fn code(error: &ApiError) -> &'static str {
    match error.status.as_u16() {
        429 => "rate_limit_exceeded",
        400..500 => "invalid_prompt",
        _ => "server_error",
    }
}

fn wire_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens.saturating_add(usage.completion_tokens),
    })
}

/// The state in which an answer leaves its last item.
pub(super) const fn last_status(reason: FinishReason) -> Status {
    match reason {
        FinishReason::Length | FinishReason::ContentFilter => Status::Incomplete,
        FinishReason::Stop | FinishReason::ToolCalls => Status::Completed,
    }
}

impl Collector {
    /// The JSON of OpenAI's `response`. `token` becomes part of its ids.
    pub fn to_response(&self, token: &str, request: &ResponsesRequest, created: Timestamp) -> Vec<u8> {
        let frame = Frame::new(token, request, created);
        let items: Vec<Item> = self
            .pieces
            .iter()
            .enumerate()
            .map(|(index, piece)| {
                let last = index + 1 == self.pieces.len();
                let status = if last { last_status(self.finish()) } else { Status::Completed };
                match piece {
                    Piece::Text(text) => {
                        Item::message(frame.item_id("msg", index), status, vec![Part::text(text.clone())])
                    }
                    Piece::Reasoning(text) => {
                        let thought = Part::ReasoningText { text: text.clone() };
                        Item::reasoning(frame.item_id("rs", index), status, vec![thought])
                    }
                    Piece::Call(call) => Item::call(frame.item_id("fc", index), status, call),
                }
            })
            .collect();
        frame.draw(&State::Ended(self.finish()), &items, self.usage).to_string().into_bytes()
    }
}

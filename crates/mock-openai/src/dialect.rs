//! The protocols that the mock speaks beside OpenAI's chat completions, as far as tests need them.

mod anthropic;
pub(crate) mod bedrock;
mod gemini;
mod ollama;
mod responses;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::seen;

/// Which protocol a request is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
    Bedrock { streams: bool },
    Gemini,
    Ollama,
    Responses,
}

/// What an answer has cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) prompt: u64,
    /// Reasoning included.
    pub(crate) answer: u64,
    pub(crate) reasoning: u64,
}

/// Writes the stream of one answer.
pub(crate) trait Voice: Send {
    fn start(&mut self) -> Bytes;
    fn thought(&mut self, text: &str) -> Bytes;
    fn text(&mut self, text: &str) -> Bytes;
    fn call(&mut self, name: &str, arguments: &Value) -> Bytes;
    /// Everything that stands at the end. `reason` is one of OpenAI's.
    fn finish(&mut self, reason: &str, counted: Counted) -> Bytes;
    /// An event that cannot be understood: it is no JSON, or its checksum is wrong.
    fn malformed(&self) -> Bytes;
    fn failure(&self) -> Bytes;
}

const FAILURE: &str = "The server had an error while processing your request";

impl Dialect {
    /// The protocol of a call by its path, and the model where the path names it.
    pub(crate) fn of_call(path: &str) -> Option<(Self, Option<&str>)> {
        if path.ends_with("/chat/completions") {
            return Some((Self::OpenAi, None));
        }
        if path.ends_with("/messages") {
            return Some((Self::Anthropic, None));
        }
        if path.ends_with("/responses") {
            return Some((Self::Responses, None));
        }
        if path.ends_with("/api/chat") {
            return Some((Self::Ollama, None));
        }
        for (endpoint, streams) in [("/converse-stream", true), ("/converse", false)] {
            if let Some((_, model)) = path.strip_suffix(endpoint).and_then(|path| path.split_once("/model/")) {
                return Some((Self::Bedrock { streams }, Some(model)));
            }
        }
        let (_, model) = path.strip_suffix(":streamGenerateContent")?.rsplit_once("/models/")?;
        Some((Self::Gemini, Some(model)))
    }

    /// The protocol of a question for the models.
    pub(crate) fn of_list(path: &str, is_anthropic: bool) -> Option<Self> {
        match path {
            _ if path.ends_with("/api/tags") => Some(Self::Ollama),
            _ if path.ends_with("/foundation-models") || path.ends_with("/inference-profiles") => {
                Some(Self::Bedrock { streams: false })
            }
            _ if !path.ends_with("/models") => None,
            _ if path.contains("/v1beta/") => Some(Self::Gemini),
            _ if is_anthropic => Some(Self::Anthropic),
            _ => Some(Self::OpenAi),
        }
    }

    /// What writes its answers; `None` for the one that the script itself speaks.
    pub(crate) fn voice(self, id: &str, model: &str) -> Option<Box<dyn Voice>> {
        match self {
            Self::OpenAi => None,
            Self::Anthropic => Some(Box::new(anthropic::Messages::new(id, model))),
            Self::Bedrock { .. } => Some(Box::new(bedrock::Messages::default())),
            Self::Gemini => Some(Box::new(gemini::Chunks::new(model))),
            Self::Ollama => Some(Box::new(ollama::Lines::new(model))),
            Self::Responses => Some(Box::new(responses::Events::new(id, model))),
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Ollama => "application/x-ndjson",
            Self::Bedrock { .. } => "application/vnd.amazon.eventstream",
            _ => "text/event-stream; charset=utf-8",
        }
    }

    /// The list in which a request holds its messages, and the field of each with what it says.
    fn messages(self, request: &Value) -> (&[Value], &'static str) {
        let (list, field) = match self {
            Self::OpenAi | Self::Anthropic | Self::Bedrock { .. } | Self::Ollama => ("messages", "content"),
            Self::Gemini => ("contents", "parts"),
            Self::Responses => ("input", "content"),
        };
        (request[list].as_array().map(Vec::as_slice).unwrap_or_default(), field)
    }

    pub(crate) fn last_user_message(self, request: &Value) -> String {
        let (messages, field) = self.messages(request);
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        last.map(|message| text_of(&message[field])).unwrap_or_default()
    }

    /// The kinds of the pictures that the last message of the user shows.
    pub(crate) fn pictures(self, request: &Value) -> Vec<String> {
        let (messages, _) = self.messages(request);
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        last.map(seen::kinds).unwrap_or_default()
    }

    pub(crate) fn count_prompt(self, request: &Value) -> u64 {
        let (messages, field) = self.messages(request);
        messages.iter().map(|message| text_of(&message[field]).split_whitespace().count() as u64).sum()
    }

    /// The first tool that is offered.
    pub(crate) fn tool(self, request: &Value) -> Option<&str> {
        let tool = &request["tools"][0];
        match self {
            Self::OpenAi | Self::Ollama => &tool["function"]["name"],
            Self::Anthropic | Self::Responses => &tool["name"],
            Self::Bedrock { .. } => &request["toolConfig"]["tools"][0]["toolSpec"]["name"],
            Self::Gemini => &tool["functionDeclarations"][0]["name"],
        }
        .as_str()
    }

    /// An error body. `kind` and `code` are OpenAI's.
    pub(crate) fn error(self, status: u16, text: &str, kind: &str, code: Option<&str>) -> Value {
        match self {
            Self::OpenAi | Self::Responses => {
                json!({"error": {"message": text, "type": kind, "param": null, "code": code}})
            }
            Self::Anthropic => {
                let kind = match status {
                    401 => "authentication_error",
                    404 => "not_found_error",
                    429 => "rate_limit_error",
                    400..500 => "invalid_request_error",
                    _ => "api_error",
                };
                json!({"type": "error", "error": {"type": kind, "message": text}})
            }
            Self::Bedrock { .. } => json!({"message": text}),
            Self::Gemini => json!({"error": {"code": status, "message": text, "status": "MOCK"}}),
            Self::Ollama => json!({"error": text}),
        }
    }

    /// The models of that list.
    pub(crate) fn list(self, models: &[&str]) -> Value {
        let entries = |entry: &dyn Fn(&str) -> Value| models.iter().map(|model| entry(model)).collect::<Vec<_>>();
        match self {
            Self::OpenAi | Self::Responses => json!({"object": "list", "data": entries(&|id| {
                json!({"id": id, "object": "model", "created": crate::chunk::CREATED, "owned_by": "mock"})
            })}),
            Self::Anthropic => json!({"has_more": false, "data": entries(&|id| {
                json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"})
            })}),
            Self::Bedrock { .. } => json!({"modelSummaries": entries(&|id| {
                json!({"modelId": id, "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{id}"),
                    "inputModalities": ["TEXT"], "outputModalities": ["TEXT"], "inferenceTypesSupported": ["ON_DEMAND"],
                    "responseStreamingSupported": true, "modelLifecycle": {"status": "ACTIVE"}})
            })}),
            Self::Gemini => json!({"models": entries(&|id| {
                json!({"name": format!("models/{id}"), "supportedGenerationMethods": ["generateContent"]})
            })}),
            Self::Ollama => json!({"models": entries(&|id| json!({"name": id, "model": id}))}),
        }
    }
}

/// Text, or the texts of all parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// A server-sent event, named if it has a name.
fn event(name: &str, data: &str) -> Bytes {
    let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
    format!("{name}data: {data}\n\n").into()
}

/// One after the other.
fn together(events: impl IntoIterator<Item = Bytes>) -> Bytes {
    events.into_iter().collect::<Vec<_>>().concat().into()
}

//! Answers on the wire. A stream's chunks differ in a few bytes only, so what they share is written once per stream.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use stoa_model::Timestamp;
use stoa_model::completion::{CompletionEvent, FinishReason, PartKind, Usage};
use stoa_model::tools::ToolCall;

use super::error::ApiError;
use crate::openai::WireCall;

/// Which of OpenAI's two requests is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Chat,
    /// The older one, which knows text alone: reasoning and calls are left out.
    Text,
}

impl Form {
    const fn chunk(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Text => "text_completion",
        }
    }
}

/// Writes the events of one stream. Reasoning goes into `reasoning_content`, which is where most clients look for it.
#[derive(Clone, Debug)]
pub struct ChunkEncoder {
    /// `data: {"id":…,"object":…,"created":…,"model":…` up to where chunks begin to differ.
    head: Bytes,
    include_usage: bool,
    form: Form,
}

const TEXT: &[u8] = br#","choices":[{"index":0,"delta":{"content":"#;
const REASONING: &[u8] = br#","choices":[{"index":0,"delta":{"reasoning_content":"#;
const CALLS: &[u8] = br#","choices":[{"index":0,"delta":{"tool_calls":"#;
const AFTER_DELTA: &[u8] = br#"},"logprobs":null,"finish_reason":null}]"#;
const START: &[u8] =
    br#","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#;
const PLAIN: &[u8] = br#","choices":[{"index":0,"text":"#;
const AFTER_PLAIN: &[u8] = br#","logprobs":null,"finish_reason":null}]"#;
const BEFORE_TEXT_REASON: &[u8] = br#","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":""#;
const BEFORE_REASON: &[u8] = br#","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":""#;

impl ChunkEncoder {
    /// `id` as in `chatcmpl-…`; `model` as the request named it; `include_usage` as the request said.
    pub fn new(form: Form, id: &str, model: &str, created: Timestamp, include_usage: bool) -> Self {
        #[derive(Serialize)]
        struct Head<'a> {
            id: &'a str,
            object: &'a str,
            created: i64,
            model: &'a str,
        }
        let mut head = b"data: ".to_vec();
        let fields = Head { id, object: form.chunk(), created: created.as_seconds(), model };
        // Texts and a number alone always serialise, and the brace at the end is theirs.
        head.extend(serde_json::to_vec(&fields).unwrap_or_default());
        head.pop();
        Self { head: head.into(), include_usage, form }
    }

    /// The first chunk: the role.
    pub fn start(&self) -> Bytes {
        if self.form == Form::Text {
            return Bytes::new();
        }
        let mut out = self.begin(START.len());
        out.put_slice(START);
        self.end(out)
    }

    /// One delta.
    pub fn delta(&self, part: PartKind, text: &str) -> Bytes {
        let mut out = BytesMut::with_capacity(self.head.len() + text.len() + text.len() / 8 + 152);
        self.append_delta(&mut out, part, text);
        out.freeze()
    }

    /// One delta behind what `out` already holds: several that are ready at once go out in one piece.
    pub fn append_delta(&self, out: &mut BytesMut, part: PartKind, text: &str) {
        if (self.form, part) == (Form::Text, PartKind::Reasoning) {
            return;
        }
        out.put_slice(&self.head);
        self.write_delta(out, part, text);
    }

    /// A whole call of a tool; `index` is its place among those of the answer.
    pub fn append_call(&self, out: &mut BytesMut, index: usize, call: &ToolCall) {
        if self.form == Form::Text {
            return;
        }
        out.put_slice(&self.head);
        out.put_slice(CALLS);
        // Texts and a number alone always serialise.
        out.put_slice(&serde_json::to_vec(&[WireCall::new(call, Some(index))]).unwrap_or_default());
        out.put_slice(AFTER_DELTA);
        self.close(out);
    }

    /// The last choice.
    pub fn finish(&self, reason: FinishReason) -> Bytes {
        let mut out = self.begin(BEFORE_REASON.len() + 32);
        out.put_slice(match self.form {
            Form::Chat => BEFORE_REASON,
            Form::Text => BEFORE_TEXT_REASON,
        });
        out.put_slice(reason_name(reason).as_bytes());
        out.put_slice(b"\"}]");
        self.end(out)
    }

    /// The chunk of usage, which has no choice; `None` when the request did not ask for it.
    pub fn usage(&self, usage: Usage) -> Option<Bytes> {
        if !self.include_usage {
            return None;
        }
        let mut out = self.begin(256);
        out.put_slice(br#","choices":[],"usage":"#);
        out.put_slice(&serde_json::to_vec(&WireUsage::from(usage)).unwrap_or_default());
        out.put_slice(b"}\n\n");
        Some(out.freeze())
    }

    /// An error in mid-stream. Nothing follows it, not even [`ChunkEncoder::done`].
    pub fn error(error: &ApiError) -> Bytes {
        let mut out = BytesMut::from(&b"data: "[..]);
        out.put_slice(&error.to_json());
        out.put_slice(b"\n\n");
        out.freeze()
    }

    /// The end mark.
    pub const fn done() -> Bytes {
        Bytes::from_static(b"data: [DONE]\n\n")
    }

    fn begin(&self, more: usize) -> BytesMut {
        let mut out = BytesMut::with_capacity(self.head.len() + more + 24);
        out.put_slice(&self.head);
        out
    }

    fn write_delta(&self, out: &mut BytesMut, part: PartKind, text: &str) {
        out.put_slice(match (self.form, part) {
            (Form::Text, _) => PLAIN,
            (Form::Chat, PartKind::Text) => TEXT,
            (Form::Chat, PartKind::Reasoning) => REASONING,
        });
        write_json_text(out, text);
        out.put_slice(match self.form {
            Form::Chat => AFTER_DELTA,
            Form::Text => AFTER_PLAIN,
        });
        self.close(out);
    }

    fn end(&self, mut out: BytesMut) -> Bytes {
        self.close(&mut out);
        out.freeze()
    }

    /// With usage asked for, every other chunk says that it has none.
    fn close(&self, out: &mut BytesMut) {
        let end: &[u8] = if self.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" };
        out.put_slice(end);
    }
}

/// A JSON string. Most tokens need no escape and are copied whole.
fn write_json_text(out: &mut BytesMut, text: &str) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.put_u8(b'"');
        out.put_slice(text.as_bytes());
        out.put_u8(b'"');
    } else {
        // Writing a text into memory cannot fail.
        let _ = serde_json::to_writer(out.writer(), text);
    }
}

const fn reason_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
    }
}

#[derive(Serialize)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
            prompt_tokens_details: PromptDetails { cached_tokens: usage.cached_tokens },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning_tokens },
        }
    }
}

/// Gathers the events of an answer that is not streamed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collector {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
}

impl Collector {
    pub fn push(&mut self, event: CompletionEvent) {
        match event {
            CompletionEvent::Delta { part: PartKind::Text, text } => self.text.push_str(&text),
            CompletionEvent::Delta { part: PartKind::Reasoning, text } => self.reasoning.push_str(&text),
            CompletionEvent::ToolCall(call) => self.calls.push(call),
            CompletionEvent::Local(_) => {}
            CompletionEvent::Usage(usage) => self.usage = Some(usage),
            CompletionEvent::Finish(reason) => self.finish = Some(reason),
        }
    }

    /// The JSON of the whole answer.
    pub fn to_json(&self, form: Form, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        match form {
            Form::Chat => self.chat(id, model, created),
            Form::Text => self.plain(id, model, created),
        }
    }

    fn plain(&self, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        let answer = serde_json::json!({
            "id": id,
            "object": Form::Text.chunk(),
            "created": created.as_seconds(),
            "model": model,
            "choices": [{
                "index": 0,
                "text": self.text,
                "logprobs": null,
                "finish_reason": reason_name(self.finish.unwrap_or(FinishReason::Stop)),
            }],
            "usage": self.usage.map(WireUsage::from),
        });
        answer.to_string().into_bytes()
    }

    fn chat(&self, id: &str, model: &str, created: Timestamp) -> Vec<u8> {
        #[derive(Serialize)]
        struct Answer<'a> {
            id: &'a str,
            object: &'static str,
            created: i64,
            model: &'a str,
            choices: [Choice<'a>; 1],
            #[serde(skip_serializing_if = "Option::is_none")]
            usage: Option<WireUsage>,
        }
        #[derive(Serialize)]
        struct Choice<'a> {
            index: u32,
            message: Message<'a>,
            logprobs: (),
            finish_reason: &'static str,
        }
        #[derive(Serialize)]
        struct Message<'a> {
            role: &'static str,
            content: Option<&'a str>,
            #[serde(skip_serializing_if = "str::is_empty")]
            reasoning_content: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tool_calls: Vec<WireCall<'a>>,
            refusal: (),
        }
        let only_calls = self.text.is_empty() && !self.calls.is_empty();
        let message = Message {
            role: "assistant",
            content: (!only_calls).then_some(self.text.as_str()),
            reasoning_content: &self.reasoning,
            tool_calls: self.calls.iter().map(|call| WireCall::new(call, None)).collect(),
            refusal: (),
        };
        let finish_reason = reason_name(self.finish.unwrap_or(FinishReason::Stop));
        let answer = Answer {
            id,
            object: "chat.completion",
            created: created.as_seconds(),
            model,
            choices: [Choice { index: 0, message, logprobs: (), finish_reason }],
            usage: self.usage.map(WireUsage::from),
        };
        // Texts and numbers alone always serialise.
        serde_json::to_vec(&answer).unwrap_or_default()
    }
}

/// One line of the model list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedModel<'a> {
    /// `slug/name`.
    pub id: &'a str,
    pub created: Timestamp,
    pub owned_by: &'a str,
}

/// The JSON of `GET /v1/models`.
pub fn encode_models<'a>(models: impl IntoIterator<Item = ListedModel<'a>>) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        id: &'a str,
        object: &'static str,
        created: i64,
        owned_by: &'a str,
    }
    let data = models
        .into_iter()
        .map(|model| Entry {
            id: model.id,
            object: "model",
            created: model.created.as_seconds(),
            owned_by: model.owned_by,
        })
        .collect();
    // Texts and numbers alone always serialise.
    serde_json::to_vec(&List { object: "list", data }).unwrap_or_default()
}

//! Answers on the wire. A stream's chunks differ in a few bytes only, so what they share is written once per stream.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use stoa_model::Timestamp;
use stoa_model::completion::{FinishReason, PartKind, TokenLogProb, Usage};
use stoa_model::tools::ToolCall;

use super::error::ApiError;
use super::logprobs::WireLogProbs;
use crate::openai::WireCall;

/// Which of OpenAI's two requests is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Chat,
    /// The older one, which knows text alone: reasoning and calls are left out.
    Text,
}

impl Form {
    pub(super) const fn chunk(self) -> &'static str {
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
        self.append_likely_delta(out, part, text, &[]);
    }

    /// One delta with how likely its tokens were.
    pub fn append_likely_delta(&self, out: &mut BytesMut, part: PartKind, text: &str, logprobs: &[TokenLogProb]) {
        if (self.form, part) == (Form::Text, PartKind::Reasoning) {
            return;
        }
        out.put_slice(&self.head);
        self.write_delta(out, part, text, logprobs);
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

    fn write_delta(&self, out: &mut BytesMut, part: PartKind, text: &str, logprobs: &[TokenLogProb]) {
        out.put_slice(match (self.form, part) {
            (Form::Text, _) => PLAIN,
            (Form::Chat, PartKind::Text) => TEXT,
            (Form::Chat, PartKind::Reasoning) => REASONING,
        });
        write_json_text(out, text);
        match (self.form, WireLogProbs::new(logprobs)) {
            (Form::Chat, None) => out.put_slice(AFTER_DELTA),
            (Form::Chat, Some(logprobs)) => {
                out.put_slice(br#"},"logprobs":"#);
                // Texts and numbers alone always serialise.
                out.put_slice(&serde_json::to_vec(&logprobs).unwrap_or_default());
                out.put_slice(br#","finish_reason":null}]"#);
            }
            (Form::Text, _) => out.put_slice(AFTER_PLAIN),
        }
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
pub(super) fn write_json_text(out: &mut BytesMut, text: &str) {
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

pub(super) const fn reason_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
    }
}

#[derive(Serialize)]
pub(super) struct WireUsage {
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

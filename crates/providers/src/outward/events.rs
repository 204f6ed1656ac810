//! The events of a streamed answer on their way out, whichever protocol they are written in.

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;
use serde_json::Value;
use stoa_model::completion::{CompletionEvent, LocalEvent, PartKind, TokenLogProb, Usage};

use super::encode::ChunkEncoder;
use super::error::ApiError;

/// Writes one stream.
pub trait EventEncoder: Send {
    /// What comes before everything else.
    fn begin(&mut self, out: &mut BytesMut);

    /// One event of the answer; nothing follows its `Finish`.
    fn event(&mut self, out: &mut BytesMut, event: CompletionEvent);

    /// The end of an answer that failed.
    fn fail(&mut self, out: &mut BytesMut, error: &ApiError);

    /// What a silent stream says for the proxies between.
    fn keep_alive(&self) -> &'static [u8] {
        b": \n\n"
    }
}

/// An event's data that repeats its name, as readers without the name of the event itself need it.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    #[serde(flatten)]
    pub(super) data: Value,
}

/// One named event. Its data is JSON of texts, numbers and the like, which always serialises.
pub(super) fn push_event(out: &mut BytesMut, name: &str, data: &impl Serialize) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    out.put_slice(&serde_json::to_vec(data).unwrap_or_default());
    out.put_slice(b"\n\n");
}

/// A stream of OpenAI's two older requests.
#[derive(Debug)]
pub struct ChunkEvents {
    encoder: ChunkEncoder,
    usage: Option<Usage>,
    /// Calls of tools so far.
    calls: usize,
    /// Of the tokens behind the text that comes next.
    logprobs: Vec<TokenLogProb>,
}

impl ChunkEvents {
    pub const fn new(encoder: ChunkEncoder) -> Self {
        Self { encoder, usage: None, calls: 0, logprobs: Vec::new() }
    }
}

impl EventEncoder for ChunkEvents {
    fn begin(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&self.encoder.start());
    }

    fn event(&mut self, out: &mut BytesMut, event: CompletionEvent) {
        match event {
            CompletionEvent::Delta { part, text } => {
                let logprobs = std::mem::take(&mut self.logprobs);
                // The tokens of thoughts are no part of the text that probabilities are told of.
                let logprobs = if part == PartKind::Text { logprobs.as_slice() } else { &[] };
                self.encoder.append_likely_delta(out, part, &text, logprobs);
            }
            CompletionEvent::ToolCall(call) => {
                self.logprobs.clear();
                self.encoder.append_call(out, self.calls, &call);
                self.calls += 1;
            }
            CompletionEvent::Local(LocalEvent::LogProbs(tokens)) => self.logprobs.extend(tokens),
            CompletionEvent::Local(LocalEvent::Timings(_) | LocalEvent::Context(_) | LocalEvent::Queued { .. }) => {}
            CompletionEvent::Usage(usage) => self.usage = Some(usage),
            CompletionEvent::Finish(reason) => {
                let logprobs = std::mem::take(&mut self.logprobs);
                if !logprobs.is_empty() && self.calls == 0 {
                    self.encoder.append_likely_delta(out, PartKind::Text, "", &logprobs);
                }
                out.extend_from_slice(&self.encoder.finish(reason));
                if let Some(usage) = self.usage.and_then(|usage| self.encoder.usage(usage)) {
                    out.extend_from_slice(&usage);
                }
                out.extend_from_slice(&ChunkEncoder::done());
            }
        }
    }

    fn fail(&mut self, out: &mut BytesMut, error: &ApiError) {
        out.extend_from_slice(&ChunkEncoder::error(error));
    }
}

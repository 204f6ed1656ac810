//! The server-sent events of generations and lists, written straight into a buffer: this is the hot path.

use serde::Serialize;
use stoa_model::completion::{PartKind, Usage};
use stoa_model::conversation::{Conversation, Failure, Message, Part};
use stoa_model::{ConversationId, GenerationId, MessageId, StreamId};

use crate::live::{End, EndReason, Live, Reading};

/// Whether events carry an `id:` line, for clients that resume with `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One stream, many generations: a single id would mean nothing.
    Multiplexed,
    /// One generation: the id is its sequence number.
    Single,
}

pub(crate) const HEARTBEAT: &[u8] = b": \n\n";
pub(crate) const SIGNED_OUT: &[u8] = b"event: signed_out\ndata: {}\n\n";
/// Events were missed: lists must be read again.
pub(crate) const RESYNC: &[u8] = b"event: resync\ndata: {}\n\n";

fn event<T: Serialize>(out: &mut Vec<u8>, name: &str, id: Option<u64>, data: &T) {
    let begun = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.to_string().as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    // JSON holds no raw line break, so it is one `data` line.
    if let Err(error) = serde_json::to_writer(&mut *out, data) {
        tracing::error!(%error, name, "an event cannot be written");
        out.truncate(begun);
        return;
    }
    out.extend_from_slice(b"\n\n");
}

pub(crate) fn stream(out: &mut Vec<u8>, id: StreamId) {
    #[derive(Serialize)]
    struct Data {
        id: StreamId,
    }
    event(out, "stream", None, &Data { id });
}

pub(crate) fn start(out: &mut Vec<u8>, live: &Live, seq: u64) {
    #[derive(Serialize)]
    struct Data<'a> {
        generation_id: GenerationId,
        seq: u64,
        message_id: MessageId,
        conversation_id: ConversationId,
        model: &'a str,
    }
    let subject = &live.subject;
    let data = Data {
        generation_id: subject.generation,
        seq,
        message_id: subject.message,
        conversation_id: subject.conversation,
        model: &subject.model,
    };
    event(out, "start", None, &data);
}

/// Its place in the line for its model: so many are before it.
pub(crate) fn queued(out: &mut Vec<u8>, generation: GenerationId, ahead: u32) {
    #[derive(Serialize)]
    struct Data {
        generation_id: GenerationId,
        ahead: u32,
    }
    event(out, "queued", None, &Data { generation_id: generation, ahead });
}

pub(crate) fn reading(out: &mut Vec<u8>, framing: Framing, generation: GenerationId, reading: &Reading<'_>) {
    #[derive(Serialize)]
    struct Delta<'a> {
        generation_id: GenerationId,
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
        part: PartKind,
        text: &'a str,
    }
    #[derive(Serialize)]
    struct Rewind {
        generation_id: GenerationId,
        seq: u64,
    }
    match *reading {
        Reading::Delta { first, last, part, text } => {
            let first = (first != last).then_some(first);
            event(out, "delta", framing.id(last), &Delta { generation_id: generation, seq: last, first, part, text });
        }
        Reading::Rewind { seq } => {
            event(out, "rewind", framing.id(seq), &Rewind { generation_id: generation, seq });
        }
    }
}

pub(crate) fn snapshot(out: &mut Vec<u8>, framing: Framing, generation: GenerationId, seq: u64, parts: &[Part]) {
    #[derive(Serialize)]
    struct Data<'a> {
        generation_id: GenerationId,
        seq: u64,
        parts: &'a [Part],
    }
    event(out, "snapshot", framing.id(seq), &Data { generation_id: generation, seq, parts });
}

/// The last events of a generation.
pub(crate) fn end(out: &mut Vec<u8>, generation: GenerationId, usage: Option<Usage>, end: &End) {
    #[derive(Serialize)]
    struct UsageData {
        generation_id: GenerationId,
        #[serde(flatten)]
        usage: Usage,
    }
    #[derive(Serialize)]
    struct Finish<'a> {
        generation_id: GenerationId,
        reason: &'a str,
        message: Option<&'a Message>,
    }
    #[derive(Serialize)]
    struct Problem<'a> {
        generation_id: GenerationId,
        problem: &'a Failure,
        message: Option<&'a Message>,
    }
    if let Some(usage) = usage {
        event(out, "usage", None, &UsageData { generation_id: generation, usage });
    }
    let message = end.message.as_ref();
    let finish = |reason| Finish { generation_id: generation, reason, message };
    match &end.reason {
        EndReason::Finished(reason) => {
            #[derive(Serialize)]
            struct Finished<'a> {
                generation_id: GenerationId,
                reason: stoa_model::completion::FinishReason,
                message: Option<&'a Message>,
            }
            event(out, "finish", None, &Finished { generation_id: generation, reason: *reason, message });
        }
        EndReason::Stopped => event(out, "finish", None, &finish("stopped")),
        EndReason::Interrupted => event(out, "finish", None, &finish("interrupted")),
        EndReason::Failed(problem) => {
            event(out, "error", None, &Problem { generation_id: generation, problem, message });
        }
    }
}

pub(crate) fn conversation(out: &mut Vec<u8>, conversation: &Conversation) {
    #[derive(Serialize)]
    struct Data<'a> {
        kind: &'static str,
        conversation: &'a Conversation,
    }
    let new = conversation.leaf_id.is_none() && conversation.created_at == conversation.updated_at;
    event(out, "conversation", None, &Data { kind: if new { "created" } else { "updated" }, conversation });
}

pub(crate) fn conversation_deleted(out: &mut Vec<u8>, id: ConversationId) {
    #[derive(Serialize)]
    struct Gone {
        id: ConversationId,
    }
    #[derive(Serialize)]
    struct Data {
        kind: &'static str,
        conversation: Gone,
    }
    event(out, "conversation", None, &Data { kind: "deleted", conversation: Gone { id } });
}

impl Framing {
    const fn id(self, seq: u64) -> Option<u64> {
        match self {
            Self::Multiplexed => None,
            Self::Single => Some(seq),
        }
    }
}

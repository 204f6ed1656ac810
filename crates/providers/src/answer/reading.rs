//! From bytes to events to meaning.

use serde_json::{Value, json};
use stoa_model::completion::CompletionError;
use stoa_model::provider::ProviderKind;

use super::lines::Lines;
use super::{Interpret, Out, Progress};
use crate::event_stream::{self, EventStreamError, Message};
use crate::protocol;
use crate::provider::failure;
use crate::sse::{Caps, DecodeError, Decoder};

/// The longest answer that comes as one piece of JSON.
const MAX_WHOLE_BYTES: usize = 16 * 1024 * 1024;

/// How the events of a protocol are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// A piece of JSON a line.
    Lines,
    /// Messages of Amazon's event streams.
    Messages,
}

/// One answer that is being read.
pub struct Reading {
    framing: Framing,
    form: Form,
    interpreter: Box<dyn Interpret>,
}

/// What the bytes are, judged by the first that is no blank: servers' content types cannot be trusted.
enum Form {
    Unknown,
    Events(Decoder),
    Lines(Lines),
    Messages(event_stream::Decoder),
    Whole(Vec<u8>),
}

impl Reading {
    /// For an answer that was recorded. `think_tags`: whether `<think>…</think>` at its beginning is reasoning.
    pub fn new(kind: ProviderKind, think_tags: bool) -> Self {
        let protocol = protocol::of(kind);
        Self::with(protocol.framing(), protocol.interpreter(Progress::new(think_tags, "", None)))
    }

    pub(crate) fn with(framing: Framing, interpreter: Box<dyn Interpret>) -> Self {
        Self { framing, form: Form::Unknown, interpreter }
    }

    /// Reads on. Whether there was any whole event.
    pub fn push(&mut self, bytes: &[u8], out: &mut Out) -> Result<bool, CompletionError> {
        if matches!(self.form, Form::Unknown) {
            let beginning = bytes.trim_ascii_start();
            let beginning = beginning.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(beginning).trim_ascii_start();
            self.form = match (beginning.first(), self.framing) {
                (None, _) => return Ok(false),
                (Some(b'<'), _) | (Some(b'{' | b'['), Framing::Events | Framing::Messages) => Form::Whole(Vec::new()),
                (Some(_), Framing::Events) => Form::Events(Decoder::new(Caps::default())),
                (Some(_), Framing::Lines) => Form::Lines(Lines::new(Caps::default().line_bytes)),
                (Some(_), Framing::Messages) => Form::Messages(event_stream::Decoder::default()),
            };
        }
        let mut any = false;
        match &mut self.form {
            Form::Unknown => {}
            Form::Whole(whole) => {
                if whole.len() + bytes.len() > MAX_WHOLE_BYTES {
                    let detail = format!("it is longer than {} MiB", MAX_WHOLE_BYTES >> 20);
                    return Err(CompletionError::Protocol { detail });
                }
                whole.extend_from_slice(bytes);
            }
            Form::Events(decoder) => {
                decoder.push(bytes);
                while let Some(event) = decoder.next_event().map_err(too_long)? {
                    any = true;
                    self.interpreter.event(event.name, event.data, out)?;
                }
            }
            Form::Lines(lines) => {
                lines.push(bytes);
                while let Some(line) = lines.next_line().map_err(too_long)? {
                    any = true;
                    self.interpreter.event(b"", &line, out)?;
                }
            }
            Form::Messages(decoder) => {
                decoder.push(bytes);
                loop {
                    match decoder.next_message() {
                        Ok(None) => break,
                        Ok(Some(message)) => tell(&message, self.interpreter.as_mut(), out)?,
                        Err(error) => return Err(broken(error, self.interpreter.as_mut(), out)),
                    }
                    any = true;
                }
            }
        }
        Ok(any)
    }

    /// The bytes have ended as they should.
    pub fn end(&mut self, out: &mut Out) -> Result<(), CompletionError> {
        match &mut self.form {
            // What is left of messages is one that was cut.
            Form::Unknown | Form::Messages(_) => {}
            Form::Whole(whole) if whole.trim_ascii_start().first() == Some(&b'<') => {
                let detail = failure::message_of(whole).unwrap_or_default();
                return Err(CompletionError::Protocol { detail: format!("it is {detail}") });
            }
            Form::Whole(whole) => return self.interpreter.whole(whole, out),
            Form::Events(decoder) => {
                if let Some(event) = decoder.finish().map_err(too_long)? {
                    self.interpreter.event(event.name, event.data, out)?;
                }
            }
            Form::Lines(lines) => {
                if let Some(line) = lines.finish() {
                    self.interpreter.event(b"", &line, out)?;
                }
            }
        }
        self.interpreter.progress().close(out)
    }

    /// The bytes have ended as they should not.
    pub(crate) fn close(&mut self, out: &mut Out) -> Result<(), CompletionError> {
        self.interpreter.progress().close(out)
    }

    pub(crate) fn abandon(&mut self, out: &mut Out) {
        self.interpreter.progress().abandon(out);
    }

    /// Whether the answer has said all that it has to say.
    pub fn is_over(&self) -> bool {
        self.interpreter.told().is_over()
    }

    /// Whether only usage and end mark may follow.
    pub(crate) fn is_finishing(&self) -> bool {
        self.interpreter.told().is_finishing()
    }
}

/// Hands on what a message says: an event, or how the answer fails.
fn tell(message: &Message<'_>, interpreter: &mut dyn Interpret, out: &mut Out) -> Result<(), CompletionError> {
    let header = |name: &str| message.header(name).unwrap_or_default();
    let failure = match header(":message-type") {
        "event" => return interpreter.event(header(":event-type").as_bytes(), message.payload, out),
        "exception" => {
            let text = String::from_utf8_lossy(message.payload);
            let said = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
            let mut failure = said.unwrap_or_else(|| json!({"message": text}));
            failure["type"] = header(":exception-type").into();
            failure
        }
        "error" => json!({"type": header(":error-code"), "message": header(":error-message")}),
        other => {
            let detail = format!("a message of the event stream is of an unknown type: {}", failure::shortened(other));
            interpreter.progress().abandon(out);
            return Err(CompletionError::Protocol { detail });
        }
    };
    Err(interpreter.progress().refuse(&failure, out))
}

fn broken(error: EventStreamError, interpreter: &mut dyn Interpret, out: &mut Out) -> CompletionError {
    interpreter.progress().abandon(out);
    CompletionError::Protocol { detail: error.to_string() }
}

fn too_long(error: DecodeError) -> CompletionError {
    CompletionError::Protocol { detail: error.to_string() }
}

//! One open event stream: it follows any number of generations and the lists of one person, at the pace of its reader.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stoa_model::{GenerationId, StreamId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::events::{self, Framing};
use crate::inbox::{Inbox, Mark};
use crate::live::Live;

/// Text of one reading; a reader that is far behind gets it in pieces of this size.
const READING_BYTES: usize = 64 * 1024;
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A generation to follow, from after a sequence number.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub(crate) live: Arc<Live>,
    pub(crate) after: u64,
}

#[derive(Debug)]
pub(crate) enum StreamCommand {
    Subscribe(Subscribe),
    Unsubscribe(GenerationId),
}

/// Resolves when whoever reads may no longer.
pub type Revoked = Pin<Box<dyn Future<Output = Parting> + Send>>;

/// Why a stream is closed on its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// The reader's session or key has ended, and is told so.
    SignedOut,
    /// The reader's rights are other ones now: it may ask again.
    RightsChanged,
}

pub struct EventStream {
    framing: Framing,
    inbox: Arc<Inbox>,
    slots: Vec<Option<Slot>>,
    by_generation: HashMap<GenerationId, usize>,
    commands: Option<mpsc::Receiver<StreamCommand>>,
    revoked: Revoked,
    /// The server stops; the browser looks for another.
    closed: CancellationToken,
    /// Written before anything is waited for.
    greeting: Vec<u8>,
    over: bool,
    /// Kept for as long as the stream is open.
    registration: Option<crate::feed::Registration>,
}

struct Slot {
    live: Arc<Live>,
    mark: Arc<Mark>,
    cursor: u64,
    begun: bool,
    /// What was last told of its place in the line for its model.
    ahead: Option<u32>,
}

impl EventStream {
    /// A stream of one generation, which ends when the generation does.
    pub(crate) fn single(subscribe: Subscribe, revoked: Revoked, closed: CancellationToken) -> Self {
        let mut stream = Self::new(Framing::Single, Arc::default(), revoked, closed);
        stream.subscribe(subscribe);
        stream
    }

    pub(crate) fn multiplexed(
        id: StreamId,
        inbox: Arc<Inbox>,
        commands: mpsc::Receiver<StreamCommand>,
        registration: crate::feed::Registration,
        revoked: Revoked,
        closed: CancellationToken,
    ) -> Self {
        let mut stream = Self::new(Framing::Multiplexed, inbox, revoked, closed);
        events::stream(&mut stream.greeting, id);
        stream.commands = Some(commands);
        stream.registration = Some(registration);
        stream
    }

    fn new(framing: Framing, inbox: Arc<Inbox>, revoked: Revoked, closed: CancellationToken) -> Self {
        Self {
            framing,
            inbox,
            slots: Vec::new(),
            by_generation: HashMap::new(),
            commands: None,
            revoked,
            closed,
            greeting: Vec::new(),
            over: false,
            registration: None,
        }
    }

    /// The next bytes of the stream; `None` when it is over. Safe to give up waiting for.
    pub async fn next(&mut self) -> Option<Bytes> {
        if !self.greeting.is_empty() {
            return Some(std::mem::take(&mut self.greeting).into());
        }
        while !self.over {
            let mut out = Vec::new();
            tokio::select! {
                biased;
                parting = &mut self.revoked => {
                    if parting == Parting::SignedOut {
                        out.extend_from_slice(events::SIGNED_OUT);
                    }
                    self.over = true;
                }
                () = self.closed.cancelled() => self.over = true,
                command = next_command(&mut self.commands) => match command {
                    Some(StreamCommand::Subscribe(subscribe)) => self.subscribe(subscribe),
                    Some(StreamCommand::Unsubscribe(generation)) => self.unsubscribe(generation),
                    None => self.over = true,
                },
                () = self.inbox.wait() => self.read(&mut out),
                () = tokio::time::sleep(HEARTBEAT) => out.extend_from_slice(events::HEARTBEAT),
            }
            if !out.is_empty() {
                return Some(out.into());
            }
        }
        None
    }

    fn subscribe(&mut self, Subscribe { live, after }: Subscribe) {
        let generation = live.subject.generation;
        self.unsubscribe(generation);
        let free = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let mark = self.inbox.mark(free);
        live.watch(&mark);
        self.by_generation.insert(generation, free);
        if let Some(slot) = self.slots.get_mut(free) {
            *slot = Some(Slot { live, mark, cursor: after, begun: false, ahead: None });
        }
    }

    fn unsubscribe(&mut self, generation: GenerationId) {
        if let Some(slot) = self.by_generation.remove(&generation).and_then(|index| self.slots.get_mut(index)) {
            *slot = None;
        }
    }

    fn read(&mut self, out: &mut Vec<u8>) {
        let news = self.inbox.take();
        if news.overflowed {
            out.extend_from_slice(events::RESYNC);
        }
        for event in news.feed {
            out.extend_from_slice(&event);
        }
        for index in news.ready {
            let Some(place) = self.slots.get_mut(index) else { continue };
            let Some(slot) = place else { continue };
            if slot.read(self.framing, out) {
                self.by_generation.remove(&slot.live.subject.generation);
                *place = None;
                self.over |= self.framing == Framing::Single;
            }
        }
    }
}

impl Slot {
    /// Writes what is new; true when the generation is over and all of it has been written.
    fn read(&mut self, framing: Framing, out: &mut Vec<u8>) -> bool {
        // Before reading: what comes while we read sets the mark again.
        self.mark.clear();
        let generation = self.live.subject.generation;
        // Before the log: what is written after the end was seen does not exist.
        let end = self.live.ending();
        if !self.begun {
            self.begun = true;
            events::start(out, &self.live, self.cursor);
            if self.cursor == 0 && !self.live.subject.base.is_empty() {
                events::snapshot(out, framing, generation, 0, &self.live.subject.base);
            }
        }
        if let Some(ahead) = self.live.ahead()
            && self.ahead.replace(ahead) != Some(ahead)
        {
            events::queued(out, generation, ahead);
        }
        if let Some(end) = &end
            && end.log_is_partial
            && let Some(message) = &end.message
        {
            events::snapshot(out, framing, generation, end.last_seq, &message.parts);
            events::end(out, generation, self.live.usage(), end);
            return true;
        }
        self.cursor = self.live.read(self.cursor, READING_BYTES, |reading| {
            events::reading(out, framing, generation, &reading);
        });
        match end {
            Some(end) if self.cursor >= self.live.last_seq() => {
                events::end(out, generation, self.live.usage(), &end);
                true
            }
            _ if self.cursor < self.live.last_seq() => {
                self.mark.set();
                false
            }
            _ => false,
        }
    }
}

/// Waits for ever when the stream takes no commands.
async fn next_command(commands: &mut Option<mpsc::Receiver<StreamCommand>>) -> Option<StreamCommand> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

//! Event streams read as cheaply as can be: thousands of readers share the machine with what they measure. A reader is a
//! bare socket with a state machine that undoes the chunked encoding, finds the tokens and counts along with the model.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use memchr::memchr;
use memchr::memmem;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The head of an answer comes within it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 16 * 1024;
const MAX_HEAD_BYTES: usize = 8 * 1024;
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// In whose words the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Stoa,
    OpenAi,
}

/// What all readers of a case have seen together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Tokens that came, each once and in order.
    pub(crate) tokens: AtomicU64,
    /// Tokens that came twice, too late or not at all, and other things that should not be.
    pub(crate) wrong: AtomicU64,
    /// Streams that came to their proper end.
    pub(crate) finished: AtomicU64,
}

impl Tally {
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }
}

/// An open stream.
pub(crate) struct Reader {
    socket: TcpStream,
    chunks: Chunks,
    lines: Lines,
    events: Events,
}

impl Reader {
    /// Sends the request, which must end the head (and body), and reads the head of the answer.
    pub(crate) async fn open(
        address: SocketAddr,
        request: &[u8],
        dialect: Dialect,
        tally: Arc<Tally>,
    ) -> anyhow::Result<Self> {
        timeout(HEAD_TIMEOUT, Self::open_slowly(address, request, dialect, tally))
            .await
            .context("the stream did not begin in time")?
    }

    async fn open_slowly(
        address: SocketAddr,
        request: &[u8],
        dialect: Dialect,
        tally: Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address).await.context("no connection for a stream")?;
        socket.set_nodelay(true)?;
        socket.write_all(request).await?;
        let mut head = Vec::new();
        let events = Events::new(dialect, tally);
        let mut reader = Self { socket, chunks: Chunks::default(), lines: Lines::default(), events };
        loop {
            reader.socket.readable().await?;
            match reader.socket.try_read_buf(&mut head) {
                Ok(0) => bail!("the connection was closed before the stream began"),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            if let Some(end) = memmem::find(&head, b"\r\n\r\n") {
                let text = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).to_ascii_lowercase();
                if !text.starts_with("http/1.1 200") || !text.contains("transfer-encoding: chunked") {
                    bail!("a stream was answered with {}", String::from_utf8_lossy(&head));
                }
                reader.take(head.get(end + 4..).unwrap_or_default());
                return Ok(reader);
            }
            if head.len() > MAX_HEAD_BYTES {
                bail!("the head of an answer is too long");
            }
        }
    }

    /// Reads until `until` says that this is enough, or to the end. True when the stream is over.
    pub(crate) async fn read_until(&mut self, mut until: impl FnMut(&Events) -> bool) -> anyhow::Result<bool> {
        loop {
            if until(&self.events) {
                return Ok(false);
            }
            if self.chunks.over {
                return Ok(true);
            }
            self.socket.readable().await?;
            if !self.drain()? {
                return Ok(true);
            }
        }
    }

    /// The name of a multiplexed stream.
    pub(crate) fn stream(&self) -> Option<&str> {
        self.events.stream.as_deref()
    }

    /// Reads to the end in a task of its own, for as long as the handle is kept, and notes whether the answer was whole.
    pub(crate) fn follow(self, tokens: u64) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(TaskTracker::new().spawn(self.read_to_end(tokens)))
    }

    async fn read_to_end(mut self, tokens: u64) {
        // A connection that broke shows in what is missing.
        let _ = self.read_until(|events| events.ended).await;
        let tally = &self.events.tally;
        if self.events.ended && self.events.next == tokens {
            tally.finished.fetch_add(1, Ordering::Relaxed);
        } else {
            tally.wrong.fetch_add(tokens.saturating_sub(self.events.next).max(1), Ordering::Relaxed);
        }
    }

    /// Takes what the socket has; false at its end. The buffer lives on the stack of the moment, not in each reader.
    fn drain(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.socket.try_read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.take(buffer.get(..count).unwrap_or_default());
                    // Less than there was room for: the socket is empty, and asking again would be one call more.
                    if count < READ_BYTES {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let Self { chunks, lines, events, .. } = self;
        if !chunks.feed(bytes, |piece| lines.feed(piece, |line| events.line(line))) {
            events.tally.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Undoes the chunked transfer encoding (RFC 9112 §7.1).
#[derive(Debug, Default)]
struct Chunks {
    place: Place,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// In the line that says how long the chunk is.
    #[default]
    Size0,
    Size(usize),
    Data(usize),
    /// In the line break behind a chunk.
    Break,
}

impl Chunks {
    /// False when the encoding is broken.
    fn feed(&mut self, mut bytes: &[u8], mut piece: impl FnMut(&[u8])) -> bool {
        while !self.over
            && let Some((first, rest)) = bytes.split_first()
        {
            match self.place {
                Place::Size0 | Place::Size(_) => {
                    let size = if let Place::Size(size) = self.place { size } else { 0 };
                    bytes = rest;
                    match (char::from(*first).to_digit(16), first) {
                        (Some(digit), _) => self.place = Place::Size(size << 4 | digit as usize),
                        (None, b'\r') => {}
                        (None, b'\n') if size == 0 => self.over = true,
                        (None, b'\n') => self.place = Place::Data(size),
                        (None, _) => return false,
                    }
                }
                Place::Data(left) => {
                    let count = left.min(bytes.len());
                    let (now, later) = bytes.split_at(count);
                    piece(now);
                    bytes = later;
                    self.place = if count == left { Place::Break } else { Place::Data(left - count) };
                }
                Place::Break => {
                    bytes = rest;
                    if *first == b'\n' {
                        self.place = Place::Size0;
                    }
                }
            }
        }
        true
    }
}

/// Puts lines together. Most come whole, and are not copied.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (now, later) = bytes.split_at(end);
            if self.begun.is_empty() {
                line(now);
            } else {
                self.begun.extend_from_slice(now);
                line(&self.begun);
                self.begun = Vec::new();
            }
            bytes = later.get(1..).unwrap_or_default();
        }
        if self.begun.len() + bytes.len() <= MAX_LINE_BYTES {
            self.begun.extend_from_slice(bytes);
        }
    }
}

/// Finds the tokens and counts along: the model says `0 1 2 …`.
#[derive(Debug)]
pub(crate) struct Events {
    dialect: Dialect,
    kind: Kind,
    /// The number that comes next.
    pub(crate) next: u64,
    /// The answer has come to its proper end.
    pub(crate) ended: bool,
    pub(crate) stream: Option<String>,
    tally: Arc<Tally>,
}

/// What the lines that follow belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stream,
    Delta,
    Finish,
    Error,
    Other,
}

impl Events {
    fn new(dialect: Dialect, tally: Arc<Tally>) -> Self {
        Self { dialect, kind: Kind::Other, next: 0, ended: false, stream: None, tally }
    }

    fn line(&mut self, line: &[u8]) {
        match self.dialect {
            Dialect::Stoa => {
                if let Some(name) = line.strip_prefix(b"event: ") {
                    self.kind = match name {
                        b"stream" => Kind::Stream,
                        b"delta" => Kind::Delta,
                        b"finish" => Kind::Finish,
                        b"error" | b"rewind" | b"signed_out" => Kind::Error,
                        _ => Kind::Other,
                    };
                } else if let Some(data) = line.strip_prefix(b"data: ") {
                    self.stoa(data);
                }
            }
            Dialect::OpenAi => {
                if let Some(data) = line.strip_prefix(b"data: ") {
                    self.open_ai(data);
                }
            }
        }
    }

    fn stoa(&mut self, data: &[u8]) {
        match self.kind {
            Kind::Delta => match string(data, b"\"text\":\"") {
                Some(text) => self.count(text),
                None => self.wrong(),
            },
            Kind::Finish => self.ended = true,
            Kind::Error => {
                self.wrong();
                self.ended = true;
            }
            Kind::Stream => {
                self.stream = string(data, b"\"id\":\"").map(|id| String::from_utf8_lossy(id).into_owned());
            }
            Kind::Other => {}
        }
    }

    fn open_ai(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.ended = true;
        } else if let Some(text) = string(data, b"\"content\":\"") {
            self.count(text);
        }
    }

    /// A delta holds one number or, coalesced, several.
    fn count(&mut self, text: &[u8]) {
        for word in text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            let number = word
                .iter()
                .try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')));
            match number {
                Some(number) if number >= self.next => {
                    self.tally.wrong.fetch_add(number - self.next, Ordering::Relaxed);
                    self.tally.tokens.fetch_add(1, Ordering::Relaxed);
                    self.next = number + 1;
                }
                // Once more, or too late.
                _ => self.wrong(),
            }
        }
    }

    fn wrong(&self) {
        self.tally.wrong.fetch_add(1, Ordering::Relaxed);
    }
}

/// What stands between `begin` and the next quotation mark. Numbers and ids need no escapes.
fn string<'a>(data: &'a [u8], begin: &[u8]) -> Option<&'a [u8]> {
    let text = data.get(memmem::find(data, begin)? + begin.len()..)?;
    text.get(..memchr(b'"', text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(dialect: Dialect, body: &[u8], pieces: usize) -> Events {
        let (mut chunks, mut lines) = (Chunks::default(), Lines::default());
        let mut events = Events::new(dialect, Arc::default());
        for bytes in body.chunks(pieces) {
            assert!(chunks.feed(bytes, |piece| lines.feed(piece, |line| events.line(line))));
        }
        events
    }

    #[test]
    fn tokens_are_counted_however_the_bytes_are_cut() {
        let delta = "event: delta\nid: 3\ndata: {\"seq\":3,\"part\":\"text\",\"text\":\"0 1 2\"}\n\n";
        let finish = "event: finish\ndata: {\"message\":{\"parts\":[{\"text\":\"0 1 2\"}]}}\n\n";
        let body = format!("{:x}\r\n{delta}\r\n{:X}\r\n{finish}\r\n0\r\n\r\n", delta.len(), finish.len());
        for pieces in [1, 2, 7, 1_000] {
            let events = events(Dialect::Stoa, body.as_bytes(), pieces);
            assert_eq!((events.next, events.ended, events.tally.wrong()), (3, true, 0), "in pieces of {pieces}");
        }
    }

    #[test]
    fn a_lost_token_counts_once() {
        let body =
            "data: {\"delta\":{\"content\":\"0\"}}\n\ndata: {\"delta\":{\"content\":\" 2 3\"}}\n\ndata: [DONE]\n\n";
        let body = format!("{:x}\r\n{body}\r\n", body.len());
        let events = events(Dialect::OpenAi, body.as_bytes(), 5);
        assert_eq!((events.next, events.ended, events.tally.wrong(), events.tally.tokens()), (4, true, 1, 3));
    }

    #[test]
    fn a_stream_tells_its_name() {
        let body = "event: stream\ndata: {\"id\":\"abc\"}\n\n: \n\n";
        let body = format!("{:x}\r\n{body}\r\n", body.len());
        assert_eq!(events(Dialect::Stoa, body.as_bytes(), 3).stream.as_deref(), Some("abc"));
    }
}

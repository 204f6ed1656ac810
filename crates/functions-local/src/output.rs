//! What a sandbox writes to its standard output and error: line by line into a ring, no faster than is sensible.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_functions::{LogRing, Stream};
use stoa_model::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

/// Whoever writes more waits. Reading it costs the server as much as writing it costs the function.
const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

pub(crate) type Log = Arc<Mutex<LogRing>>;

pub(crate) fn locked(log: &Log) -> std::sync::MutexGuard<'_, LogRing> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads to the end.
pub(crate) async fn keep(mut output: impl AsyncRead + Unpin, stream: Stream, log: Log, clock: Arc<dyn Clock>) {
    let mut piece = vec![0; 16 * 1024];
    let mut line = Line::default();
    let began = Instant::now();
    let mut total = 0;
    while let Ok(read) = output.read(&mut piece).await {
        let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else { break };
        {
            let mut ring = locked(&log);
            line.take(piece, |text, cut| ring.push(clock.now(), stream, text, cut));
        }
        total += piece.len() as u64;
        // A second's worth may come at once.
        let due = began + Duration::from_millis(total.saturating_sub(BYTES_PER_SECOND) * 1_000 / BYTES_PER_SECOND);
        tokio::time::sleep_until(due).await;
    }
    line.end(|text, cut| locked(&log).push(clock.now(), stream, text, cut));
}

/// What the engine itself has to say in a log, so much a second that the function's own lines stay readable.
pub(crate) struct Complaints {
    log: Log,
    clock: Arc<dyn Clock>,
    said: Mutex<Said>,
}

struct Said {
    second: Instant,
    lines: usize,
    untold: usize,
}

const COMPLAINTS_PER_SECOND: usize = 10;

impl Complaints {
    pub(crate) fn into(log: &Log, clock: &Arc<dyn Clock>) -> Self {
        let said = Said { second: Instant::now(), lines: 0, untold: 0 };
        Self { log: Arc::clone(log), clock: Arc::clone(clock), said: Mutex::new(said) }
    }

    pub(crate) fn say(&self, what: &str) {
        let untold = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.second.elapsed() >= Duration::from_secs(1) {
                (said.second, said.lines) = (Instant::now(), 0);
            }
            if said.lines == COMPLAINTS_PER_SECOND {
                said.untold += 1;
                return;
            }
            said.lines += 1;
            std::mem::take(&mut said.untold)
        };
        let more = if untold > 0 { format!(" (and {untold} times more before)") } else { String::new() };
        locked(&self.log).push(self.clock.now(), Stream::Error, format!("stoa: {what}{more}").as_bytes(), false);
    }
}

/// A line that has not ended. Of one that is too long, the beginning.
#[derive(Default)]
struct Line {
    text: Vec<u8>,
    cut: bool,
}

impl Line {
    fn take(&mut self, piece: &[u8], mut push: impl FnMut(&[u8], bool)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LogRing::MAX_LINE_BYTES.saturating_sub(self.text.len());
            self.cut |= text.len() > room;
            self.text.extend_from_slice(text.get(..room).unwrap_or(text));
            if ended {
                push(&self.text, self.cut);
                *self = Self::default();
            }
        }
    }

    fn end(self, push: impl FnOnce(&[u8], bool)) {
        if !self.text.is_empty() {
            push(&self.text, self.cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn complaints_are_few_and_what_was_not_said_is_counted() {
        let log: Log = Arc::new(Mutex::new(LogRing::new(1 << 20)));
        let clock: Arc<dyn Clock> = Arc::new(stoa_model::SystemClock);
        let complaints = Complaints::into(&log, &clock);
        for _ in 0..25 {
            complaints.say("refused");
        }
        assert_eq!(locked(&log).after(0, 100).lines.len(), 10);
        tokio::time::advance(Duration::from_secs(1)).await;
        complaints.say("refused");
        assert_eq!(locked(&log).tail(1), "stoa: refused (and 15 times more before)");
    }

    #[test]
    fn lines_are_put_together_from_pieces_and_cut() {
        let mut got = Vec::new();
        let mut line = Line::default();
        for piece in [&b"a"[..], b"b\nc\n\n", &vec![b'x'; 3 * LogRing::MAX_LINE_BYTES], b"\nlast"] {
            line.take(piece, |text, cut| got.push((text.len(), cut)));
        }
        line.end(|text, cut| got.push((text.len(), cut)));
        assert_eq!(got, [(2, false), (1, false), (0, false), (LogRing::MAX_LINE_BYTES, true), (4, false)]);
    }
}

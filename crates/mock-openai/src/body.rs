//! A response body that plays a script in time and notes how it ended.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::record::{Entry, Outcome};
use crate::script::{Script, Step};

/// Streams wake together on this grid: thousands of them at one rate then share their wake-ups.
const GRID: Duration = Duration::from_millis(4);

/// Left to the connection to write out what it has before it is broken off.
const FLUSH: Duration = Duration::from_millis(20);

pub(crate) struct ScriptBody {
    script: Script,
    entry: Entry,
    epoch: Instant,
    start: Instant,
    pending: Bytes,
    /// When `pending` goes out.
    due: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
    abort_at: Option<Instant>,
    over: bool,
}

impl ScriptBody {
    /// `epoch` is where the grid of all streams of a server begins.
    pub(crate) fn new(script: Script, entry: Entry, epoch: Instant) -> Self {
        let start = Instant::now();
        Self {
            script,
            entry,
            epoch,
            start,
            pending: Bytes::new(),
            due: start,
            alarm: None,
            abort_at: None,
            over: false,
        }
    }

    fn on_grid(&self, moment: Instant) -> Instant {
        let offset = moment.saturating_duration_since(self.epoch);
        let steps = u32::try_from(offset.as_nanos().div_ceil(GRID.as_nanos())).unwrap_or(u32::MAX);
        self.epoch + GRID * steps
    }

    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.due {
            return Poll::Ready(());
        }
        let due = self.on_grid(self.due);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        alarm.as_mut().poll(context)
    }

    fn end(&mut self, outcome: Outcome) {
        self.over = true;
        self.entry.close(outcome);
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if this.pending.is_empty() {
            match this.script.next() {
                Step::Send { bytes, at } => {
                    this.pending = bytes;
                    if this.script.trickle().is_none() {
                        this.due = this.start + at;
                    }
                }
                Step::Hang => {
                    this.pending = Bytes::from_static(b"\n");
                    this.due = this.start + Duration::from_hours(24 * 365);
                }
                Step::Abort => {
                    this.due = *this.abort_at.get_or_insert_with(|| Instant::now() + FLUSH);
                    if this.poll_due(context).is_pending() {
                        return Poll::Pending;
                    }
                    this.end(Outcome::Cut);
                    return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))));
                }
                Step::End => {
                    this.end(Outcome::Finished);
                    return Poll::Ready(None);
                }
            }
        }
        if this.poll_due(context).is_pending() {
            return Poll::Pending;
        }
        let size = this.script.split().unwrap_or(usize::MAX).min(this.pending.len());
        let piece = this.pending.split_to(size);
        if let Some(period) = this.script.trickle() {
            this.due = Instant::now() + period;
        }
        this.entry.sent(this.script.sent());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

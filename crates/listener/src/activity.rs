//! What a connection is doing, seen from its bytes and its requests, and when it must be cut for doing nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::ListenerOptions;

/// Shared between the connection, its input and output, and the bodies of its answers. Times are milliseconds since the
/// connection was accepted, plus one; zero means "not now". The fields are read together only by the connection's own
/// task, which looks again whenever something happens, so relaxed ordering is enough.
#[derive(Debug)]
pub(crate) struct Activity {
    accepted: Instant,
    in_flight: AtomicUsize,
    multiplexed: AtomicBool,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    write_blocked_since: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            in_flight: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            idle_since: AtomicU64::new(1),
            // The first head is awaited from the very beginning: a connection that says nothing is a slow head.
            head_since: AtomicU64::new(1),
            write_blocked_since: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn instant(&self, mark: u64, after: Duration) -> Instant {
        self.accepted + Duration::from_millis(mark - 1) + after
    }

    /// A request's head is complete; the request is in flight until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.multiplexed.store(multiplexed, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    fn read(&self) {
        // On HTTP/2 bytes outside a request are mostly pings and settings; the idle time-out covers slow heads there.
        if self.is_idle() && !self.multiplexed.load(Ordering::Relaxed) && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn wrote(&self, blocked: bool) {
        if !blocked {
            self.write_blocked_since.store(0, Ordering::Relaxed);
        } else if self.write_blocked_since.load(Ordering::Relaxed) == 0 {
            self.write_blocked_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The moment at which the connection is to be cut unless something happens before, and why.
    pub(crate) fn deadline(&self, options: &ListenerOptions) -> Option<(Instant, Overdue)> {
        let mut nearest: Option<(Instant, Overdue)> = None;
        let mut consider = |mark: u64, after: Duration, overdue: Overdue| {
            if mark > 0 {
                let at = self.instant(mark, after);
                if nearest.is_none_or(|(other, _)| at < other) {
                    nearest = Some((at, overdue));
                }
            }
        };
        consider(self.write_blocked_since.load(Ordering::Relaxed), options.write_timeout, Overdue::Write);
        if self.is_idle() {
            consider(self.head_since.load(Ordering::Relaxed), options.head_timeout, Overdue::Head);
            consider(self.idle_since.load(Ordering::Relaxed), options.idle_timeout, Overdue::Idle);
        }
        nearest
    }
}

/// Why a connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// A request's head did not come in time.
    Head,
    /// No request came in time.
    Idle,
    /// The peer stopped reading.
    Write,
}

impl Overdue {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Head => "the head of a request did not come in time",
            Self::Idle => "no request for too long",
            Self::Write => "the peer stopped reading",
        }
    }
}

/// One request in flight, from its head to the end of its answer.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        // Before the count: whoever sees the connection idle must see since when.
        self.0.idle_since.store(self.0.now(), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// An answer's body that keeps its request in flight until it is sent or dropped.
    pub(crate) struct AnswerBody<B> {
        #[pin]
        inner: B,
        in_flight: InFlight,
    }
}

impl<B> AnswerBody<B> {
    pub(crate) fn new(inner: B, in_flight: InFlight) -> Self {
        Self { inner, in_flight }
    }
}

impl<B: Body<Data: Buf>> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// A connection's input and output that tell [`Activity`] what passes.
    pub(crate) struct Watched<I> {
        #[pin]
        inner: I,
        activity: Arc<Activity>,
    }
}

impl<I> Watched<I> {
    pub(crate) fn new(inner: I, activity: Arc<Activity>) -> Self {
        Self { inner, activity }
    }
}

impl<I: Read> Read for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), std::io::Error>> {
        let this = self.project();
        let result = this.inner.poll_read(cx, buffer);
        if result.is_ready() {
            this.activity.read();
        }
        result
    }
}

impl<I: Write> Write for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, std::io::Error>> {
        let this = self.project();
        let result = this.inner.poll_write(cx, buffer);
        this.activity.wrote(result.is_pending());
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize, std::io::Error>> {
        let this = self.project();
        let result = this.inner.poll_write_vectored(cx, buffers);
        this.activity.wrote(result.is_pending());
        result
    }
}

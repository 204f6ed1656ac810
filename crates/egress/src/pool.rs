//! Connections kept for the next request to the same place, and the tasks that drive them.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::connect::Opened;
use crate::proxy::Proxy;
use crate::target::Target;

/// The longest head of an answer.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 256;
/// Idle connections kept for one place, and for how long.
const MAX_IDLE_PER_PLACE: usize = 256;
const IDLE_FOR: Duration = Duration::from_mins(1);
/// Requests at a time on one HTTP/2 connection; more open another. Servers allow 100 or more, and past their limit a
/// request would wait in a queue that no timer of ours could tell from a slow answer.
const MAX_STREAMS: usize = 64;
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

pub(crate) type Outgoing = Request<Full<Bytes>>;

/// What makes two requests able to share a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    https: bool,
    authority: String,
}

impl Place {
    fn of(target: &Target) -> Self {
        Self { https: target.is_https(), authority: target.authority().to_string() }
    }
}

pub(crate) struct Pool {
    idle: Mutex<HashMap<Place, Vec<Idle>>>,
    shared: Mutex<HashMap<Place, Vec<Shared>>>,
    tasks: TaskTracker,
    sweeping: AtomicBool,
}

struct Idle {
    connection: Exclusive,
    since: Instant,
}

/// An HTTP/1.1 connection; one request at a time. Dropping it ends its task and closes the socket.
struct Exclusive {
    sender: http1::SendRequest<Full<Bytes>>,
    checked: Arc<[IpAddr]>,
    forwarding: Option<Proxy>,
    _task: TaskGuard,
}

/// An HTTP/2 connection; many requests at a time.
struct Shared {
    sender: http2::SendRequest<Full<Bytes>>,
    checked: Arc<[IpAddr]>,
    running: Arc<AtomicUsize>,
    used: Arc<Mutex<Instant>>,
    /// Held so that the connection ends with its place in the pool and its last request.
    task: Arc<TaskGuard>,
}

struct TaskGuard(AbortHandle);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The right to use a connection for one request. Dropped before [`Lease::give_back`], it cancels the request: an
/// HTTP/1.1 connection is closed, an HTTP/2 stream is reset.
pub(crate) struct Lease {
    kind: LeaseKind,
    place: Place,
    pool: Weak<Pool>,
    pub(crate) reused: bool,
}

enum LeaseKind {
    Exclusive(Exclusive),
    Shared { sender: http2::SendRequest<Full<Bytes>>, _running: Running, _task: Arc<TaskGuard> },
}

/// Counts one request on a shared connection while it lives.
struct Running {
    count: Arc<AtomicUsize>,
    used: Arc<Mutex<Instant>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *lock(&self.used) = Instant::now();
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lease {
    pub(crate) fn forwarding(&self) -> Option<&Proxy> {
        match &self.kind {
            LeaseKind::Exclusive(connection) => connection.forwarding.as_ref(),
            LeaseKind::Shared { .. } => None,
        }
    }

    pub(crate) const fn is_http2(&self) -> bool {
        matches!(self.kind, LeaseKind::Shared { .. })
    }

    pub(crate) fn tasks(&self) -> Option<TaskTracker> {
        self.pool.upgrade().map(|pool| pool.tasks.clone())
    }

    pub(crate) async fn send(&mut self, request: Outgoing) -> Result<Response<Incoming>, TrySendError<Outgoing>> {
        match &mut self.kind {
            LeaseKind::Exclusive(connection) => {
                // A connection that has just been given back may still be finishing its last write. If it closes
                // instead, the send below says so and hands the request back.
                let _ = connection.sender.ready().await;
                connection.sender.try_send_request(request).await
            }
            LeaseKind::Shared { sender, .. } => sender.try_send_request(request).await,
        }
    }

    /// Keeps the connection for the next request. Only for an answer that was read to its end.
    pub(crate) fn give_back(self) {
        let LeaseKind::Exclusive(connection) = self.kind else { return };
        let Some(pool) = self.pool.upgrade() else { return };
        if !connection.sender.is_closed() {
            pool.keep(self.place, connection);
        }
    }
}

impl Pool {
    pub(crate) fn new(tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), shared: Mutex::default(), tasks, sweeping: AtomicBool::new(false) })
    }

    /// A connection to the target that is open already and that `still_allowed` accepts; others are closed.
    pub(crate) fn take(self: &Arc<Self>, target: &Target, still_allowed: impl Fn(&[IpAddr]) -> bool) -> Option<Lease> {
        let place = Place::of(target);
        if let Some(kind) = self.take_shared(&place, &still_allowed) {
            return Some(Lease { kind, place, pool: Arc::downgrade(self), reused: true });
        }
        let mut idle = lock(&self.idle);
        let waiting = idle.get_mut(&place)?;
        // The one used last: it is the least likely to be closed by the other side just now.
        while let Some(candidate) = waiting.pop() {
            let connection = candidate.connection;
            if candidate.since.elapsed() < IDLE_FOR
                && !connection.sender.is_closed()
                && still_allowed(&connection.checked)
            {
                let kind = LeaseKind::Exclusive(connection);
                return Some(Lease { kind, place, pool: Arc::downgrade(self), reused: true });
            }
        }
        idle.remove(&place);
        None
    }

    fn take_shared(&self, place: &Place, still_allowed: &impl Fn(&[IpAddr]) -> bool) -> Option<LeaseKind> {
        let mut shared = lock(&self.shared);
        let open = shared.get_mut(place)?;
        open.retain(|connection| !connection.sender.is_closed() && still_allowed(&connection.checked));
        let free = open.iter().find(|connection| connection.running.load(Ordering::Acquire) < MAX_STREAMS)?;
        Some(free.lease())
    }

    /// Starts HTTP on a fresh stream.
    pub(crate) async fn start(self: &Arc<Self>, target: &Target, opened: Opened) -> hyper::Result<Lease> {
        let place = Place::of(target);
        let io = TokioIo::new(opened.stream);
        let kind = if opened.http2 {
            let (sender, connection) = http2::Builder::new(TrackedExecutor(self.tasks.clone()))
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
                .keep_alive_interval(Duration::from_secs(20))
                .keep_alive_timeout(Duration::from_secs(10))
                .handshake(io)
                .await?;
            let connection = Shared {
                sender,
                checked: opened.checked,
                running: Arc::default(),
                used: Arc::new(Mutex::new(Instant::now())),
                task: Arc::new(self.drive(connection)),
            };
            let kind = connection.lease();
            lock(&self.shared).entry(place.clone()).or_default().push(connection);
            self.sweep();
            kind
        } else {
            let (sender, connection) =
                http1::Builder::new().max_header_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS).handshake(io).await?;
            let task = self.drive(connection);
            LeaseKind::Exclusive(Exclusive {
                sender,
                checked: opened.checked,
                forwarding: opened.forwarding,
                _task: task,
            })
        };
        Ok(Lease { kind, place, pool: Arc::downgrade(self), reused: false })
    }

    fn keep(self: &Arc<Self>, place: Place, connection: Exclusive) {
        let mut idle = lock(&self.idle);
        let waiting = idle.entry(place).or_default();
        if waiting.len() >= MAX_IDLE_PER_PLACE {
            waiting.remove(0);
        }
        waiting.push(Idle { connection, since: Instant::now() });
        drop(idle);
        self.sweep();
    }

    /// Runs a connection until it ends or nobody needs it any more.
    fn drive<C>(&self, connection: C) -> TaskGuard
    where
        C: Future<Output = hyper::Result<()>> + Send + 'static,
    {
        let task = self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "an outbound connection ended");
            }
        });
        TaskGuard(task.abort_handle())
    }

    /// Makes sure that a task closes what has been idle for too long, for as long as there is something idle.
    fn sweep(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::downgrade(self);
        self.tasks.spawn(async move {
            loop {
                sleep(IDLE_FOR / 4).await;
                match pool.upgrade() {
                    Some(pool) if pool.drop_expired() => {}
                    _ => return,
                }
            }
        });
    }

    /// Answers whether the sweeper must come again.
    fn drop_expired(&self) -> bool {
        let mut idle = lock(&self.idle);
        let mut shared = lock(&self.shared);
        idle.retain(|_, waiting| {
            waiting.retain(|idle| idle.since.elapsed() < IDLE_FOR && !idle.connection.sender.is_closed());
            !waiting.is_empty()
        });
        shared.retain(|_, open| {
            open.retain(|connection| {
                !connection.sender.is_closed()
                    && (connection.running.load(Ordering::Acquire) > 0 || lock(&connection.used).elapsed() < IDLE_FOR)
            });
            !open.is_empty()
        });
        let more = !idle.is_empty() || !shared.is_empty();
        if !more {
            // Both locks are held: whoever adds the next connection sees that no sweeper runs.
            self.sweeping.store(false, Ordering::Release);
        }
        more
    }

    /// Closes what is idle.
    pub(crate) fn clear(&self) {
        lock(&self.idle).clear();
        lock(&self.shared).clear();
    }
}

impl Shared {
    fn lease(&self) -> LeaseKind {
        self.running.fetch_add(1, Ordering::AcqRel);
        LeaseKind::Shared {
            sender: self.sender.clone(),
            _running: Running { count: Arc::clone(&self.running), used: Arc::clone(&self.used) },
            _task: Arc::clone(&self.task),
        }
    }
}

#[derive(Clone)]
struct TrackedExecutor(TaskTracker);

impl<F> hyper::rt::Executor<F> for TrackedExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// A panic elsewhere leaves these maps whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One connection: requests to the application, deadlines, and a graceful end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use http::{HeaderMap, Request, Response, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::activity::{Activity, AnswerBody, Overdue, Watched};
use crate::body::RequestBody;
use crate::{BoxError, ListenerOptions, PeerAddress};

/// HTTP/2 pings find peers that vanished without closing.
const PING_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);
const PING_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Runs HTTP/2 streams on the task tracker, and ends them when the listener cuts what is left.
#[derive(Clone)]
pub(crate) struct TrackedExecutor {
    pub(crate) tracker: TaskTracker,
    pub(crate) cut: CancellationToken,
}

impl<F> Executor<F> for TrackedExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let cut = self.cut.clone();
        self.tracker.spawn(async move {
            cut.run_until_cancelled_owned(future).await;
        });
    }
}

pub(crate) fn protocol(options: &ListenerOptions, executor: TrackedExecutor) -> auto::Builder<TrackedExecutor> {
    let mut builder = auto::Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Activity` times heads: unlike hyper's own timer it covers the first bytes of a connection, and leaves idle
        // connections to the idle time-out.
        .header_read_timeout(None)
        .max_headers(options.max_head_fields)
        .max_buf_size(options.max_head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(u32::try_from(options.max_head_bytes).unwrap_or(u32::MAX));
    builder
}

/// Turns requests of one connection into calls of the application.
struct Requests<S> {
    application: S,
    peer: PeerAddress,
    options: Arc<ListenerOptions>,
    activity: Arc<Activity>,
    tracker: TaskTracker,
}

type Answer<B> = Pin<Box<dyn Future<Output = Result<Response<AnswerBody<B>>, BoxError>> + Send>>;

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: 'static,
{
    type Response = Response<AnswerBody<B>>;
    type Error = BoxError;
    type Future = Answer<B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.activity.begin(request.version() == Version::HTTP_2);
        // Reading an unwanted body of a client that waits for "100 Continue" would ask for it.
        let linger = (!expects_continue(request.headers())).then(|| self.tracker.clone());
        let mut request = request.map(|body| RequestBody::new(body, self.options.body, linger));
        request.extensions_mut().insert(self.peer);
        let call = self.application.clone().oneshot(request);
        Box::pin(async move {
            let response = call.await.map_err(Into::into)?;
            Ok(response.map(|body| AnswerBody::new(body, in_flight)))
        })
    }
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// What all connections of a listener share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) options: Arc<ListenerOptions>,
    pub(crate) protocol: Arc<auto::Builder<TrackedExecutor>>,
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) cut: CancellationToken,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By the protocol: the peer left, or all was said.
    Closed,
    /// By an error of the peer, the network or the application.
    Failed(BoxError),
    /// By a time-out.
    Overdue(Overdue),
    /// By the end of the drain.
    Cut,
}

/// What comes before the first request over TLS; it has the time of a head.
pub(crate) async fn shake_hands(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    shared: &Shared,
) -> Result<TlsStream<TcpStream>, End> {
    let shaken = tokio::time::timeout(shared.options.head_timeout, acceptor.accept(stream));
    match shared.shutdown.run_until_cancelled(shaken).await {
        Some(Ok(Ok(stream))) => Ok(stream),
        Some(Ok(Err(error))) => Err(End::Failed(error.into())),
        Some(Err(_)) => Err(End::Overdue(Overdue::Head)),
        None => Err(End::Closed),
    }
}

pub(crate) async fn run<I, S, B>(stream: I, peer: PeerAddress, application: S, shared: Shared) -> End
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    let activity = Arc::new(Activity::new());
    let requests = Requests {
        application,
        peer,
        options: Arc::clone(&shared.options),
        activity: Arc::clone(&activity),
        tracker: shared.tracker.clone(),
    };
    let io = Watched::new(TokioIo::new(stream), Arc::clone(&activity));
    let mut connection = pin!(shared.protocol.serve_connection_with_upgrades(io, requests));
    let mut shutdown = pin!(shared.shutdown.cancelled());
    let mut cut = pin!(shared.cut.cancelled());
    let mut timer = Timer { sleep: None };
    let mut draining = false;
    poll_fn(|cx| {
        if !draining && shutdown.as_mut().poll(cx).is_ready() {
            draining = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(match result {
                Ok(()) => End::Closed,
                Err(_) if draining && activity.is_idle() => End::Closed,
                Err(error) => End::Failed(error),
            });
        }
        if cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Cut);
        }
        timer.poll(cx, &activity, &shared.options).map(End::Overdue)
    })
    .await
}

/// Fires at the connection's deadline. The deadline moves with nearly every byte, so the timer is moved forward only
/// when it fires too early, and set anew only when a deadline comes nearer.
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, activity: &Activity, options: &ListenerOptions) -> Poll<Overdue> {
        loop {
            let Some((at, overdue)) = activity.deadline(options) else {
                // Nothing to wait for, as while an answer streams. A timer still running finds that out when it fires.
                let fired = self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
                if fired {
                    self.sleep = None;
                }
                return Poll::Pending;
            };
            if Instant::now() >= at {
                return Poll::Ready(overdue);
            }
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if sleep.deadline() > at {
                sleep.as_mut().reset(at);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            sleep.as_mut().reset(at);
        }
    }
}

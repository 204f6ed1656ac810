//! Accepting connections, and draining them on shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, info, warn};

use crate::bind::{self, BindError};
use crate::body::RequestBody;
use crate::connection::{self, End, Shared, TrackedExecutor};
use crate::{BoxError, ListenerOptions, Tls};

/// Pause after an accept error that the next attempt would meet too, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// Time for connections that were cut to let go of what they hold.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// The address of the peer that opened the connection, in every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections still busy at the end of [`ListenerOptions::drain_timeout`], which were cut.
    pub cut: usize,
}

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    options: ListenerOptions,
    tls: Option<Arc<Tls>>,
}

impl Listener {
    /// Binds `address` (port 0: one that is free). Connections queue from here on, and are answered once
    /// [`Listener::serve`] runs. Call it inside a tokio runtime.
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> Result<Self, BindError> {
        let socket = bind::listen(address)?;
        let address = socket.local_addr().map_err(|source| BindError::Other { address, source })?;
        Ok(Self { socket, address, options, tls: None })
    }

    /// Speaks TLS with everybody.
    #[must_use]
    pub fn with_tls(self, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// What its addresses begin with.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The address listened on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `application` until `shutdown` is cancelled, then drains, and returns when the last connection has ended
    /// or was cut. All tasks run on `tracker`, which the caller closes and waits for.
    ///
    /// An answer that never ends by itself (an event stream) should be ended by the application when `shutdown` is
    /// cancelled; the drain would otherwise take its whole bound.
    pub async fn serve<S, B>(self, application: S, shutdown: CancellationToken, tracker: TaskTracker) -> Drained
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
    {
        let options = Arc::new(self.options);
        let cut = CancellationToken::new();
        let executor = TrackedExecutor { tracker: tracker.clone(), cut: cut.clone() };
        let shared = Shared {
            protocol: Arc::new(connection::protocol(&options, executor)),
            options: Arc::clone(&options),
            tracker: tracker.clone(),
            shutdown: shutdown.clone(),
            cut: cut.clone(),
        };
        let max_connections = u32::try_from(options.max_connections).unwrap_or(u32::MAX).min(MAX_PERMITS);
        let slots = Arc::new(Semaphore::new(max_connections as usize));
        let accepting = async {
            loop {
                let Some(slot) = free_slot(&slots).await else { return };
                let (stream, peer) = accept(&self.socket).await;
                let acceptor = self.tls.as_ref().map(|tls| tls.acceptor());
                let (application, shared) = (application.clone(), shared.clone());
                tracker.spawn(async move {
                    let end = match acceptor {
                        None => connection::run(stream, peer, application, shared).await,
                        Some(acceptor) => match connection::shake_hands(&acceptor, stream, &shared).await {
                            Ok(stream) => connection::run(stream, peer, application, shared).await,
                            Err(end) => end,
                        },
                    };
                    drop(slot);
                    report(peer, &end);
                });
            }
        };
        shutdown.run_until_cancelled(accepting).await;
        // From here on the kernel refuses connections, and a successor can bind the port.
        drop(self.socket);
        drain(&slots, max_connections, &options, &cut, self.address).await
    }
}

/// The most permits that one `acquire_many` can ask for and a semaphore can hold on every platform.
const MAX_PERMITS: u32 = u32::MAX >> 3;

async fn free_slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some(slot);
    }
    warn!("all connections are taken; new ones wait");
    Arc::clone(slots).acquire_owned().await.ok()
}

async fn accept(socket: &TcpListener) -> (TcpStream, PeerAddress) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                // Tokens are small and must leave at once; the kernel would hold them back to fill a packet.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%peer, %error, "cannot set TCP_NODELAY");
                }
                return (stream, PeerAddress(peer));
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection was lost before it was accepted");
            }
            Err(error) => {
                warn!(%error, "cannot accept connections for the moment");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn report(PeerAddress(peer): PeerAddress, end: &End) {
    match end {
        End::Closed => {}
        End::Failed(error) => debug!(%peer, error = &**error as &dyn std::error::Error, "connection failed"),
        End::Overdue(overdue) => debug!(%peer, reason = overdue.as_str(), "connection cut"),
        End::Cut => debug!(%peer, "connection cut at the end of the drain"),
    }
}

async fn drain(
    slots: &Semaphore,
    max_connections: u32,
    options: &ListenerOptions,
    cut: &CancellationToken,
    address: SocketAddr,
) -> Drained {
    // Holding every slot means that no connection is left.
    if tokio::time::timeout(options.drain_timeout, slots.acquire_many(max_connections)).await.is_ok() {
        return Drained { cut: 0 };
    }
    let left = (max_connections as usize).saturating_sub(slots.available_permits());
    info!(%address, connections = left, "the drain's time is over; cutting what is left");
    cut.cancel();
    if tokio::time::timeout(CUT_GRACE, slots.acquire_many(max_connections)).await.is_err() {
        warn!(%address, "connections hold on after they were cut");
    }
    Drained { cut: left }
}

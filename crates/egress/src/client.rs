//! The client: one request through the gate, over a kept or a new connection, along its redirects.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use http_body_util::Full;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use crate::allowances::{Allowances, Authority};
use crate::body::CappedBody;
use crate::connect::Connector;
use crate::error::{EgressError, OptionsError};
use crate::inside::Inside;
use crate::pool::{Lease, MAX_HEAD_BYTES, Outgoing, Pool};
use crate::proxy::{Proxies, ProxyOptions};
use crate::request::{Limits, Redirects, Request, moment};
use crate::resolve::{Resolve, SystemResolver};
use crate::stream::BoxedStream;
use crate::target::Target;
use crate::tls::Tls;

/// Kept connections that turn out to be closed before one is opened afresh.
const MAX_STALE_CONNECTIONS: usize = 4;

pub struct EgressOptions {
    pub allowances: Arc<Allowances>,
    /// Endpoints of the operator's own configuration (database, object store, telemetry): never checked.
    pub exempt: Vec<Authority>,
    pub proxies: ProxyOptions,
    /// Certificates (PEM) that are trusted beside those of the machine.
    pub extra_roots: Option<PathBuf>,
    pub resolver: Arc<dyn Resolve>,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            allowances: Arc::default(),
            exempt: Vec::new(),
            proxies: ProxyOptions::default(),
            extra_roots: None,
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// The one way out. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Egress {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
    tasks: TaskTracker,
}

impl Egress {
    pub fn new(options: EgressOptions) -> Result<Self, OptionsError> {
        let connector = Connector {
            allowances: options.allowances,
            exempt: Arc::new(options.exempt.into_iter().collect::<HashSet<_>>()),
            resolver: options.resolver,
            proxies: Arc::new(Proxies::new(&options.proxies)?),
            tls: Arc::new(Tls::new(options.extra_roots.as_ref())?),
            inside: None,
        };
        let tasks = TaskTracker::new();
        Ok(Self { connector: Arc::new(connector), pool: Pool::new(tasks.clone()), tasks })
    }

    /// The same way out, by which hosts that `inside` knows are reached within this process. Whoever holds it decides who
    /// may name such hosts.
    #[must_use]
    pub fn with_inside(&self, inside: Arc<dyn Inside>) -> Self {
        let connector = Arc::new(Connector { inside: Some(inside), ..Connector::clone(&self.connector) });
        Self { connector, pool: Pool::new(self.tasks.clone()), tasks: self.tasks.clone() }
    }

    pub fn allowances(&self) -> &Arc<Allowances> {
        &self.connector.allowances
    }

    /// Closes idle connections. Requests that run go on; the next one opens a new connection.
    pub fn close_idle(&self) {
        self.pool.clear();
    }

    /// Connections that are open at this moment, with the tasks that serve them.
    pub fn open_tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Sends `request` and answers with the head of the answer; its body is read from there. Dropping this future or the
    /// body closes the request upstream at once.
    pub async fn send(&self, request: Request, limits: Limits) -> Result<Response<CappedBody>, EgressError> {
        let deadline = moment(Instant::now(), limits.total);
        match timeout_at(deadline, Box::pin(self.follow(request, limits, deadline))).await {
            Ok(answer) => answer,
            Err(_) => Err(EgressError::TotalTimedOut { after: limits.total }),
        }
    }

    /// A stream of bytes to exactly that host and port, for what is not ours: by the rules that requests go by, and without
    /// the exemptions of the operator's own endpoints.
    pub async fn connect(&self, to: &Authority, limit: Duration) -> Result<BoxedStream, EgressError> {
        let target = to.target()?;
        let opening = Box::pin(self.connector.open_stream(&target));
        let late = |_| EgressError::ConnectTimedOut { authority: to.to_string(), after: limit };
        timeout(limit, opening).await.map_err(late)?
    }

    async fn follow(
        &self,
        mut request: Request,
        limits: Limits,
        deadline: Instant,
    ) -> Result<Response<CappedBody>, EgressError> {
        let mut hops = 0;
        loop {
            let answer = Box::pin(self.exchange(&request, limits, deadline)).await?;
            let limit = match limits.redirects {
                Redirects::None => return Ok(answer),
                Redirects::Safe(_) if !matches!(request.method, Method::GET | Method::HEAD) => return Ok(answer),
                Redirects::Safe(limit) | Redirects::Any(limit) => limit,
            };
            let Some(location) = location(&answer) else { return Ok(answer) };
            if hops == limit {
                return Err(EgressError::TooManyRedirects { limit });
            }
            hops += 1;
            let next = request.target.join(location).map_err(EgressError::BadRedirect)?;
            if request.target.is_https() && !next.is_https() {
                return Err(EgressError::InsecureRedirect);
            }
            request = redirected(request, next, answer.status());
        }
    }

    async fn exchange(
        &self,
        request: &Request,
        limits: Limits,
        deadline: Instant,
    ) -> Result<Response<CappedBody>, EgressError> {
        let mut stale = 0;
        loop {
            let connecting = Box::pin(self.acquire(&request.target, stale < MAX_STALE_CONNECTIONS));
            let mut lease = timeout(limits.connect, connecting).await.map_err(|_| EgressError::ConnectTimedOut {
                authority: request.target.authority().to_string(),
                after: limits.connect,
            })??;
            let outgoing = write_head(request, &lease)?;
            let sent_at = Instant::now();
            match timeout(limits.head, lease.send(outgoing)).await {
                Err(_) => return Err(EgressError::HeadTimedOut { after: limits.head }),
                Ok(Ok(answer)) => {
                    let (head, incoming) = answer.into_parts();
                    return Ok(Response::from_parts(
                        head,
                        CappedBody::new(incoming, lease, limits, sent_at, deadline)?,
                    ));
                }
                // Not a retry of the request: nothing of it had left. The other side closed a kept connection.
                Ok(Err(error)) if lease.reused && error.message().is_some() => stale += 1,
                Ok(Err(error)) => return Err(classify(error.into_error())),
            }
        }
    }

    async fn acquire(&self, target: &Target, reuse: bool) -> Result<Lease, EgressError> {
        if reuse && let Some(lease) = self.pool.take(target, |checked| self.connector.check(target, checked).is_ok()) {
            return Ok(lease);
        }
        let opened = self.connector.open(target).await?;
        self.pool.start(target, opened).await.map_err(EgressError::Protocol)
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("open_tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

fn write_head(request: &Request, lease: &Lease) -> Result<Outgoing, EgressError> {
    let whole_url = lease.is_http2() || lease.forwarding().is_some();
    let uri = if whole_url { request.target.absolute_form()? } else { request.target.origin_form()? };
    let mut outgoing = http::Request::builder()
        .method(request.method.clone())
        .uri(uri)
        .version(if lease.is_http2() { Version::HTTP_2 } else { Version::HTTP_11 })
        .body(Full::new(request.body.clone()))
        .map_err(EgressError::Request)?;
    let headers = outgoing.headers_mut();
    headers.extend(request.headers.clone());
    if !lease.is_http2() {
        headers.insert(header::HOST, request.target.host_header()?);
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("stoa/", env!("CARGO_PKG_VERSION"))));
    }
    if let Some(value) = lease.forwarding().and_then(|proxy| proxy.authorization.clone()) {
        headers.insert(header::PROXY_AUTHORIZATION, value);
    }
    Ok(outgoing)
}

fn classify(error: hyper::Error) -> EgressError {
    if error.is_parse_too_large() {
        EgressError::HeadTooLarge { limit: MAX_HEAD_BYTES }
    } else if error.is_parse() {
        EgressError::Protocol(error)
    } else {
        EgressError::CutOff(error)
    }
}

fn location<B>(answer: &Response<B>) -> Option<&str> {
    let redirects = matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    if !redirects {
        return None;
    }
    answer.headers().get(header::LOCATION)?.to_str().ok()
}

fn redirected(mut request: Request, next: Target, status: StatusCode) -> Request {
    let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
        || request.method == Method::HEAD;
    if !keeps_method && request.method != Method::GET {
        request.method = Method::GET;
        request.body = bytes::Bytes::new();
        request.headers.remove(header::CONTENT_TYPE);
    }
    if !request.target.same_origin(&next) {
        request.drop_credentials();
    }
    request.target = next;
    request
}

//! The proxy that a function speaks to (RFC 9110 §9.3.6 and RFC 9112 §3.2): tunnels by CONNECT, and plain HTTP by requests
//! that name a whole URL. hyper reads them, so what is malformed is answered with 400 and goes no further.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use stoa_egress::{Authority, Target};
use stoa_functions::Connection;
use stoa_functions::carry::Watched;
use stoa_functions::spec::HostPattern;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Refusal, Ways};
use crate::way_out::WayOutError;

/// Of a request or an answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// For the head of a request, also while a connection is kept for the next.
const HEAD_PATIENCE: Duration = Duration::from_mins(1);

/// Of one connection only, and never passed on (RFC 9110 §7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

type Body = Either<Incoming, Full<Bytes>>;

/// What was agreed on, and begins when the answer to CONNECT is out.
struct Tunnel {
    inside: OnUpgrade,
    outside: Box<dyn Connection>,
}

pub(super) async fn serve(ways: &Ways, patterns: &[HostPattern], inside: Watched<TcpStream>, over: &CancellationToken) {
    let agreed = Mutex::new(None);
    let tunnels = &agreed;
    let service = service_fn(move |request: Request<Incoming>| async move {
        let answered = if request.method() == Method::CONNECT {
            connect(ways, patterns, request, tunnels).await
        } else {
            forward(ways, patterns, request, over).await
        };
        Ok::<_, Infallible>(answered.unwrap_or_else(|refused| refused))
    });
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(inside), service)
        .with_upgrades()
        .await;
    let agreed = agreed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let (Ok(()), Some(Tunnel { inside, mut outside })) = (served, agreed)
        && let Ok(inside) = inside.await
    {
        // Either side may break off.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(inside), &mut outside).await;
    }
}

async fn connect(
    ways: &Ways,
    patterns: &[HostPattern],
    mut request: Request<Incoming>,
    agreed: &Mutex<Option<Tunnel>>,
) -> Result<Response<Body>, Response<Body>> {
    let named = request.uri().authority().filter(|_| request.uri().scheme().is_none());
    let to = named.and_then(|authority| authority.as_str().parse::<Authority>().ok());
    let to = to.and_then(|to| to.target().ok()).ok_or_else(|| wrong("CONNECT names a host and a port"))?;
    let outside = ways.open(patterns, &to).await.map_err(|refusal| refused(&to, &refusal))?;
    let inside = hyper::upgrade::on(&mut request);
    *agreed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { inside, outside });
    Ok(Response::new(Either::Right(Full::default())))
}

async fn forward(
    ways: &Ways,
    patterns: &[HostPattern],
    mut request: Request<Incoming>,
    over: &CancellationToken,
) -> Result<Response<Body>, Response<Body>> {
    let to = Target::parse(&request.uri().to_string())
        .map_err(|_| wrong("this is a proxy: a request names a whole URL that begins with http://"))?;
    if to.is_https() {
        return Err(wrong("https is reached by CONNECT"));
    }
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let path = path.parse::<Uri>().map_err(|_| wrong("the path cannot be sent"))?;
    let host = to.host_header().map_err(|_| wrong("the host cannot be sent"))?;
    let outside = ways.open(patterns, &to).await.map_err(|refusal| refused(&to, &refusal))?;

    *request.uri_mut() = path;
    *request.version_mut() = Version::HTTP_11;
    end_to_end(request.headers_mut());
    // Whatever it said: the URL counts (RFC 9112 §3.2.2).
    request.headers_mut().insert(header::HOST, host);
    let lost = |error: hyper::Error| {
        let what = format!("{} did not answer as it should: {error}", to.authority());
        ways.complain(&what);
        said(StatusCode::BAD_GATEWAY, what)
    };
    let (mut sender, driver) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(outside))
        .await
        .map_err(lost)?;
    let over = over.clone();
    ways.tracker.spawn(async move {
        tokio::select! {
            // Whoever waits for the answer is told the error.
            _ = driver => {}
            () = over.cancelled() => {}
        }
    });
    let mut answer = sender.send_request(request).await.map_err(lost)?;
    end_to_end(answer.headers_mut());
    *answer.version_mut() = Version::HTTP_11;
    Ok(answer.map(Either::Left))
}

/// Takes away what is between two neighbours only.
fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // What the body is framed by goes with the body.
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn refused(to: &Target, refusal: &Refusal) -> Response<Body> {
    let status = match refusal {
        Refusal::NotAllowed | Refusal::Out(WayOutError::Refused(_)) => StatusCode::FORBIDDEN,
        Refusal::Out(WayOutError::Unreachable(_)) => StatusCode::BAD_GATEWAY,
        Refusal::Out(WayOutError::TimedOut(_)) => StatusCode::GATEWAY_TIMEOUT,
    };
    said(status, format!("connection to {} refused: {refusal}", to.authority()))
}

fn wrong(what: &str) -> Response<Body> {
    said(StatusCode::BAD_REQUEST, what.to_owned())
}

fn said(status: StatusCode, mut what: String) -> Response<Body> {
    what.push('\n');
    let mut response = Response::new(Either::Right(Full::from(what)));
    *response.status_mut() = status;
    let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, end_to_end};

    #[test]
    fn what_is_between_neighbours_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine , content-length"),
            ("connection", "x-other"),
            ("proxy-authorization", "Basic secret"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-mine", "1"),
            ("x-other", "1"),
            ("content-length", "5"),
            ("accept", "*/*"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        end_to_end(&mut headers);
        let mut left: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length"]);
    }
}

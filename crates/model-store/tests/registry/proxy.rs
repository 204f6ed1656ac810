//! A proxy before the registry that misbehaves as a test wants.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::response::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) host: Option<String>,
    pub(crate) authorization: Option<String>,
    /// How many came before it to the same path.
    pub(crate) earlier: usize,
    /// How many came before it with the same method.
    pub(crate) earlier_of_method: usize,
}

impl Seen {
    pub(crate) fn is_blob(&self) -> bool {
        self.path.contains("/blobs/sha256:")
    }

    pub(crate) fn is_manifest(&self) -> bool {
        self.path.contains("/manifests/")
    }
}

/// What becomes of a request.
pub(crate) enum Do {
    Pass,
    /// Ends the connection after so many bytes of the body.
    Cut(usize),
    /// Sends so many bytes of the body and nothing more.
    Stall(usize),
    /// Sends so many bytes of the body, and the others once it is told so.
    Hold(usize, watch::Receiver<bool>),
    /// Sends the whole blob, whatever range is asked for.
    IgnoreRange,
    /// Sends the range that was asked for and calls it another.
    WrongRange,
    /// Changes one byte of the body.
    Spoil,
    /// Sends the body without its last byte, as if that were all.
    Shorten,
    /// Sends a byte too many.
    Lengthen,
    Redirect(String),
    Answer(StatusCode, Vec<(HeaderName, String)>, Vec<u8>),
    /// Hangs up before the registry has seen it.
    HangUp,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) struct Proxy {
    pub(crate) authority: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: TaskTracker,
}

impl Proxy {
    /// `upstream` is the registry's `host:port`.
    pub(crate) async fn start(upstream: &str, behave: impl Fn(&Seen) -> Do + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::<Seen>::new()));
        let (tasks, behave, upstream) = (TaskTracker::new(), Arc::new(behave), Arc::<str>::from(upstream));
        let (spawner, record) = (tasks.clone(), Arc::clone(&seen));
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behave, upstream, record) = (Arc::clone(&behave), Arc::clone(&upstream), Arc::clone(&record));
                let service = service_fn(move |request: Request<Incoming>| {
                    let what = note(&record, &request);
                    let (to_do, upstream) = (behave(&what), Arc::clone(&upstream));
                    async move { answer(to_do, &upstream, request, &what).await }
                });
                spawner.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { authority, seen, _tasks: tasks }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn blobs(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_blob).collect()
    }
}

fn note(seen: &Mutex<Vec<Seen>>, request: &Request<Incoming>) -> Seen {
    let text = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let path = request.uri().path_and_query().unwrap().to_string();
    let range = text(RANGE).map(|text| {
        let (start, end) = text.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        (start.parse().unwrap(), end.parse().unwrap())
    });
    let mut seen = seen.lock().unwrap();
    let what = Seen {
        method: request.method().to_string(),
        earlier_of_method: seen.iter().filter(|earlier| *request.method() == *earlier.method).count(),
        earlier: seen.iter().filter(|earlier| earlier.path == path).count(),
        path,
        range,
        host: text(http::header::HOST),
        authorization: text(http::header::AUTHORIZATION),
    };
    seen.push(what.clone());
    what
}

fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

async fn answer(
    to_do: Do,
    upstream: &str,
    mut request: Request<Incoming>,
    what: &Seen,
) -> Result<Response<Body>, io::Error> {
    match &to_do {
        Do::Answer(status, headers, content) => {
            let mut response = Response::new(full(content.clone()));
            *response.status_mut() = *status;
            for (name, value) in headers {
                response.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
            }
            return Ok(response);
        }
        Do::Redirect(to) => {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(LOCATION, HeaderValue::from_str(to).unwrap());
            return Ok(response);
        }
        Do::HangUp => return Err(io::Error::other("hung up")),
        Do::IgnoreRange => {
            request.headers_mut().remove(RANGE);
        }
        _ => {}
    }
    let (mut head, content) = forward(upstream, request).await;
    head.headers.remove(CONTENT_ENCODING);
    let length = content.len();
    let mut content = content.to_vec();
    let body = match to_do {
        Do::Cut(at) => {
            let cut = stream::once(async {
                // Gives hyper the time to send what it has.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                Err(io::Error::other("cut"))
            });
            pieces(content, at, cut.boxed())
        }
        Do::Stall(at) => pieces(content, at, stream::pending().boxed()),
        Do::Hold(at, mut open) => {
            let rest = Bytes::from(content.split_off(at.min(length)));
            let rest = stream::once(async move {
                let _ = open.wait_for(|open| *open).await;
                Ok(rest)
            });
            pieces(content, usize::MAX, rest.boxed())
        }
        other => {
            match other {
                Do::Spoil => content[length / 2] ^= 1,
                Do::Shorten => drop(content.pop()),
                Do::Lengthen => content.push(0),
                Do::WrongRange => {
                    let (start, end) = what.range.unwrap();
                    let wrong = format!("bytes {}-{}/{}", start + 1, end + 1, 1_u64 << 40);
                    head.headers.insert(CONTENT_RANGE, HeaderValue::from_str(&wrong).unwrap());
                }
                _ => {}
            }
            if content.len() == length {
                full(content)
            } else {
                // In chunks: no length says beforehand what comes.
                head.headers.remove(CONTENT_LENGTH);
                pieces(content, usize::MAX, stream::empty().boxed())
            }
        }
    };
    Ok(Response::from_parts(head, body))
}

fn pieces(mut content: Vec<u8>, at: usize, then: stream::BoxStream<'static, Result<Bytes, io::Error>>) -> Body {
    content.truncate(at);
    let chunks: Vec<_> = content.chunks(16 * 1024).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    StreamBody::new(stream::iter(chunks).chain(then).map(|piece| piece.map(Frame::data))).boxed_unsync()
}

async fn forward(upstream: &str, request: Request<Incoming>) -> (Parts, Bytes) {
    let stream = TcpStream::connect(upstream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let exchange = async {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => panic!("the registry hung up: {ended:?}"),
    }
}

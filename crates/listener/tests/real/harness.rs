//! A listener with a small application behind it, and raw clients.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use stoa_listener::{BodyError, Drained, Listener, ListenerOptions, PeerAddress, RequestBody};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::service_fn;

pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

/// Options with time-outs short enough for tests.
pub(crate) fn quick() -> ListenerOptions {
    let mut options = ListenerOptions {
        head_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(700),
        write_timeout: Duration::from_millis(500),
        drain_timeout: Duration::from_secs(5),
        ..ListenerOptions::default()
    };
    options.body.max_bytes = 64 * 1024;
    options.body.stall_timeout = Duration::from_millis(300);
    options.body.total_timeout = Duration::from_millis(900);
    options
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tracker: TaskTracker,
    served: JoinHandle<Drained>,
}

impl Running {
    pub(crate) fn start(options: ListenerOptions) -> Self {
        Self::over(Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap())
    }

    pub(crate) fn over(listener: Listener) -> Self {
        let address = listener.local_addr();
        let shutdown = CancellationToken::new();
        let tracker = TaskTracker::new();
        let served = tracker.spawn(listener.serve(service_fn(application), shutdown.clone(), tracker.clone()));
        Self { address, shutdown, tracker, served }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Ends the listener and proves that no task stays behind.
    pub(crate) async fn stop(self) -> Drained {
        self.shutdown.cancel();
        let drained = self.served.await.unwrap();
        self.tracker.close();
        tokio::time::timeout(Duration::from_secs(10), self.tracker.wait()).await.expect("a task was left behind");
        drained
    }
}

/// `/echo` counts the body; `/count/N` streams N lines, one each 50 ms; `/flood` never ends; others say "hello".
async fn application(request: Request<RequestBody>) -> Result<Response<AnswerBody>, Infallible> {
    let peer = request.extensions().get::<PeerAddress>().copied().unwrap();
    let path = request.uri().path().to_owned();
    Ok(if path == "/echo" {
        match request.into_body().collect().await {
            Ok(body) => text(format!("{} bytes", body.to_bytes().len())),
            Err(error) => {
                let found = BodyError::find(&error).unwrap();
                let mut response = text(found.to_string());
                *response.status_mut() = found.status();
                response
            }
        }
    } else if path == "/refuse" {
        let mut response = text("not for you".to_owned());
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    } else if path == "/flood" {
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        let frames = stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
        Response::new(StreamBody::new(frames).boxed_unsync())
    } else if let Some(count) = path.strip_prefix("/count/") {
        let count: u32 = count.parse().unwrap();
        let frames = stream::unfold(0, move |sent| async move {
            if sent == count {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok(Frame::data(Bytes::from(format!("line {sent}\n")))), sent + 1))
        });
        Response::new(StreamBody::new(frames).boxed_unsync())
    } else {
        text(format!("hello {}", peer.0.ip()))
    })
}

fn text(text: String) -> Response<AnswerBody> {
    Response::new(Full::new(Bytes::from(text)).boxed_unsync())
}

/// Sends `request` and reads until the peer closes.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    read_to_end(stream).await
}

/// Everything until the peer closes or resets.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut received = Vec::new();
    let reading = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the connection stayed open");
    String::from_utf8_lossy(&received).into_owned()
}

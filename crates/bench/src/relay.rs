//! The floor: a bare hyper server that opens the same stream upstream for each request and pipes the bytes through. It
//! checks nothing, keeps nothing and knows nobody: no server that does something can be cheaper by much.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// Prints its address and relays until it is killed. It has as many threads as the server that it is compared with.
pub(crate) fn run(upstream: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
        io::stdout().flush()?;
        let relay = Arc::new(Relay { upstream, tasks: TaskTracker::new() });
        // Accepting on a worker: the thread that blocks here would be woken for every connection.
        let tasks = relay.tasks.clone();
        tasks.spawn(accept(listener, relay)).await??;
        Ok(())
    })
}

struct Relay {
    upstream: SocketAddr,
    tasks: TaskTracker,
}

async fn accept(listener: TcpListener, relay: Arc<Relay>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let this = Arc::clone(&relay);
        relay.tasks.spawn(async move {
            let service = service_fn(|request| {
                let this = Arc::clone(&this);
                async move { Ok::<_, Infallible>(this.answer(request).await) }
            });
            // A client that leaves ends its connection; that is all there is to it.
            let _ = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Relay {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.forward(request).await.unwrap_or_else(|_| {
            let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        })
    }

    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Answer> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        self.tasks.spawn(connection);
        let request = Request::builder()
            .method(Method::POST)
            .uri(head.uri.path())
            .header(HOST, self.upstream.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let mut answer = Response::new(body.boxed());
        *answer.status_mut() = head.status;
        if let Some(kind) = head.headers.get(CONTENT_TYPE) {
            answer.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        Ok(answer)
    }
}

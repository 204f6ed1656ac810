//! Servers that answer as a test wants and a resolver that says what a test wants.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stoa_egress::{Allowances, Authority, Egress, EgressOptions, Limits, Resolve, Resolving, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// A listener on this machine that counts who came.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    tasks: TaskTracker,
}

impl Server {
    /// Hands every connection to `serve`.
    pub(crate) async fn raw<S, F>(serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let tasks = TaskTracker::new();
        let (counter, spawner) = (Arc::clone(&accepted), tasks.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                spawner.spawn(serve(stream));
            }
        });
        Self { address, accepted, tasks }
    }

    /// Reads the head of one request, then writes `answer` and closes.
    pub(crate) async fn canned(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::raw(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(&answer).await;
            }
        })
        .await
    }

    /// Answers HTTP/1.1 with keep-alive.
    pub(crate) async fn http(
        answer: impl Fn(Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::raw(move |stream| {
            let answer = Arc::clone(&answer);
            async move {
                let service = service_fn(move |request| {
                    let response = answer(request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Connections that the server still holds.
    pub(crate) fn open(&self) -> usize {
        self.tasks.len() - 1
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn authority(&self) -> Authority {
        self.address.to_string().parse().unwrap()
    }
}

/// The bytes up to the blank line behind the head.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    head
}

/// DNS as the test wants it: each look-up of a name takes the next of its answers; the last one stays.
#[derive(Default)]
pub(crate) struct FakeDns {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) lookups: AtomicUsize,
}

impl FakeDns {
    pub(crate) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parsed =
            answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), parsed);
        self
    }
}

impl Resolve for FakeDns {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(host) {
            Some(left) if left.len() > 1 => Ok(left.remove(0)),
            Some(left) => Ok(left[0].clone()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
        };
        Box::pin(async move { answer })
    }
}

pub(crate) fn egress(dns: FakeDns, allowed: impl IntoIterator<Item = Authority>) -> Egress {
    Egress::new(EgressOptions {
        allowances: Arc::new(Allowances::new(allowed)),
        resolver: Arc::new(dns),
        ..EgressOptions::default()
    })
    .unwrap()
}

pub(crate) fn get(url: &str) -> stoa_egress::Request {
    stoa_egress::Request::get(Target::parse(url).unwrap())
}

pub(crate) fn quick() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        head: Duration::from_secs(2),
        idle: Duration::from_secs(2),
        total: Duration::from_secs(5),
        ..Limits::default()
    }
}

pub(crate) fn text(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(body.as_bytes())))
}

/// Waits until `condition` holds; a test that never sees it fails.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

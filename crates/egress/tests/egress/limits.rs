//! Every answer has a size and a time, whatever the other side does.

use std::sync::Arc;
use std::time::Duration;

use stoa_egress::{Egress, EgressError, EgressOptions, Limits, Resolve, Resolving};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use crate::support::{FakeDns, Server, egress, eventually, get, quick, read_head};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_body_longer_than_the_limit_is_cut_with_an_error_and_the_connection_closed() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(HEAD).await;
        let chunk = [b"10000\r\n".as_slice(), &vec![b'a'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let limits = Limits { body_bytes: 1 << 20, ..quick() };
    let answer = egress.send(get(&server.url("/")), limits).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(matches!(error, EgressError::TooLarge { limit: 1_048_576 }), "{error}");
    eventually("the server sees the connection closed", || server.open() == 0).await;
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_at_once() {
    let server = Server::canned("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let error = egress.send(get(&server.url("/")), quick()).await.unwrap_err();
    assert!(matches!(error, EgressError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_upstream_that_trickles_for_ever_meets_the_total_time() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(HEAD).await;
        while stream.write_all(b"1\r\na\r\n").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let limits = Limits { idle: Duration::from_millis(200), total: Duration::from_millis(400), ..quick() };
    let answer = egress.send(get(&server.url("/")), limits).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(matches!(error, EgressError::TotalTimedOut { .. }), "{error}");
    eventually("the server sees the connection closed", || server.open() == 0).await;
}

#[tokio::test]
async fn an_upstream_that_falls_silent_meets_the_idle_time() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(HEAD).await;
        for _ in 0..5 {
            let _ = stream.write_all(b"1\r\na\r\n").await;
            sleep(Duration::from_millis(60)).await;
        }
        sleep(Duration::from_secs(30)).await;
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let limits = Limits { idle: Duration::from_millis(200), ..quick() };
    let started = Instant::now();
    let answer = egress.send(get(&server.url("/")), limits).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(matches!(error, EgressError::IdleTimedOut { .. }), "{error}");
    assert!(started.elapsed() > Duration::from_millis(400), "pieces in time must keep the answer alive");
}

/// A resolver that never answers.
struct Deaf;

impl Resolve for Deaf {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn looking_up_and_shaking_hands_count_as_connecting() {
    let limits = Limits { connect: Duration::from_millis(100), ..quick() };
    let egress_with_deaf = Egress::new(EgressOptions { resolver: Arc::new(Deaf), ..EgressOptions::default() }).unwrap();
    let error = egress_with_deaf.send(get("http://models.test/"), limits).await.unwrap_err();
    assert!(matches!(error, EgressError::ConnectTimedOut { .. }), "{error}");

    let mute = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
    })
    .await;
    let egress = egress(FakeDns::default(), [mute.authority()]);
    let error = egress.send(get(&format!("https://{}/", mute.address)), limits).await.unwrap_err();
    assert!(matches!(error, EgressError::ConnectTimedOut { .. }), "{error}");
    eventually("the half-open connection is closed", || mute.open() == 0).await;
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(2_000));
    let server = Server::canned(head).await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let error = egress.send(get(&server.url("/")), quick()).await.unwrap_err();
    assert!(matches!(error, EgressError::HeadTooLarge { .. } | EgressError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn a_head_that_never_comes_meets_its_time() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        sleep(Duration::from_secs(30)).await;
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let limits = Limits { head: Duration::from_millis(100), ..quick() };
    let error = egress.send(get(&server.url("/")), limits).await.unwrap_err();
    assert!(matches!(error, EgressError::HeadTimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream
            .write_all(b"x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
            .await
            .is_ok()
        {}
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let error = egress.send(get(&server.url("/")), quick()).await.unwrap_err();
    assert!(matches!(error, EgressError::HeadTooLarge { .. } | EgressError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn a_truncated_body_is_an_error_and_never_an_end() {
    for answer in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let server = Server::canned(answer).await;
        let egress = egress(FakeDns::default(), [server.authority()]);
        let answer = egress.send(get(&server.url("/")), quick()).await.unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        assert!(matches!(error, EgressError::CutOff(_)), "{shown}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/9.9 200 OK\r\n\r\n", "\r\n\r\n\r\n"] {
        let server = Server::canned(answer).await;
        let egress = egress(FakeDns::default(), [server.authority()]);
        let error = egress.send(get(&server.url("/")), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::Protocol(_) | EgressError::CutOff(_)), "{answer:?}: {error}");
    }
}

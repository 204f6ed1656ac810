//! Connections are kept, closed in time, and closed at once when nobody wants the answer any more.

use std::time::Duration;

use stoa_egress::EgressError;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::support::{FakeDns, Server, egress, eventually, get, quick, read_head, text};

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = Server::http(|_| text("again")).await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    for _ in 0..20 {
        let answer = egress.send(get(&server.url("/")), quick()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), "again");
    }
    assert_eq!(server.accepted(), 1);
    egress.close_idle();
    eventually("the idle connection is closed", || server.open() == 0).await;
}

#[tokio::test]
async fn a_kept_connection_that_the_other_side_closed_is_replaced() {
    let server = Server::canned("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    for turn in 1..=10 {
        let answer = egress.send(get(&server.url("/")), quick()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), "ok");
        assert_eq!(server.accepted(), turn);
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn dropping_the_body_closes_the_request_upstream() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"1\r\na\r\n").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let mut body = egress.send(get(&server.url("/")), quick()).await.unwrap().into_body();
    assert!(body.chunk().await.unwrap().is_some());
    assert_eq!(server.open(), 1);
    drop(body);
    eventually("the server sees the connection closed", || server.open() == 0).await;
    assert_eq!(egress.open_tasks(), 0);
}

#[tokio::test]
async fn dropping_the_call_before_its_answer_closes_the_request_upstream() {
    let server = Server::raw(|mut stream| async move {
        read_head(&mut stream).await;
        // Ends only when the other side closes.
        read_head(&mut stream).await;
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let call = egress.send(get(&server.url("/")), quick());
    assert!(timeout(Duration::from_millis(100), call).await.is_err());
    assert_eq!(server.accepted(), 1);
    eventually("the server sees the connection closed", || server.open() == 0).await;
}

#[tokio::test]
async fn a_closed_port_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let egress = egress(FakeDns::default(), [address.to_string().parse().unwrap()]);
    let error = egress.send(get(&format!("http://{address}/")), quick()).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error}");
    assert!(stoa_egress::describe(&error).to_lowercase().contains("refused"), "{}", stoa_egress::describe(&error));
}

#[tokio::test]
async fn a_dead_address_does_not_hold_up_a_live_one() {
    let server = Server::http(|_| text("alive")).await;
    // Nobody listens on the first two.
    let dns = FakeDns::default().with("many.test", &[&["127.0.0.3", "::1", "127.0.0.1"]]);
    let egress = egress(dns, [format!("many.test:{}", server.port()).parse().unwrap()]);
    let answer = egress.send(get(&format!("http://many.test:{}/", server.port())), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "alive");
}

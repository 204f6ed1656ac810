//! Heads: ordinary, slow, oversized, absent; and clients that do not read.

use std::time::{Duration, Instant};

use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use stoa_listener::{BindError, Listener, ListenerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Running, exchange, quick, read_to_end};

#[tokio::test]
async fn answers_and_tells_the_application_who_asks() {
    let server = Running::start(quick());
    let answer =
        exchange(&mut server.connect().await, b"GET / HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("hello 127.0.0.1"), "{answer}");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn speaks_cleartext_http2() {
    let server = Running::start(quick());
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
    let driver = server.tracker.spawn(connection);
    let request = Request::get("http://stoa/count/3").body(Empty::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "line 0\nline 1\nline 2\n");
    // The idle connection is told to go, not cut off: the client's side ends without an error.
    assert_eq!(server.stop().await.cut, 0);
    driver.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = Listener::bind(([127, 0, 0, 1], 0).into(), ListenerOptions::default()).unwrap();
    let error = Listener::bind(first.local_addr(), ListenerOptions::default()).unwrap_err();
    assert!(matches!(error, BindError::InUse { address } if address == first.local_addr()), "{error}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let error = Listener::bind(([192, 0, 2, 1], 0).into(), ListenerOptions::default()).unwrap_err();
    assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    let started = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\n").await.unwrap();
    let mut field = 0;
    // One field each 50 ms would keep any time-out between bytes alive for ever.
    while stream.write_all(format!("X-Slow-{field}: 1\r\n").as_bytes()).await.is_ok() {
        field += 1;
        assert!(started.elapsed() < Duration::from_secs(5), "a slow head was not cut");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read_to_end(&mut stream).await, "");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut() {
    let server = Running::start(quick());
    let started = Instant::now();
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    assert!(started.elapsed() < Duration::from_secs(3));
    server.stop().await;
}

#[tokio::test]
async fn a_second_head_that_trickles_in_is_cut_and_an_idle_connection_lives_longer() {
    let server = Running::start(quick());
    let mut idle = server.connect().await;
    let mut slow = server.connect().await;
    let mut buffer = [0; 1024];
    for stream in [&mut idle, &mut slow] {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    let started = Instant::now();
    slow.write_all(b"GET / HT").await.unwrap();
    read_to_end(&mut slow).await;
    let slow_lived = started.elapsed();
    read_to_end(&mut idle).await;
    let idle_lived = started.elapsed();
    assert!(slow_lived < idle_lived, "{slow_lived:?} {idle_lived:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let server = Running::start(quick());
    let large = format!("GET / HTTP/1.1\r\nHost: stoa\r\nX-Large: {}\r\n\r\n", "x".repeat(40 * 1024));
    let answer = exchange(&mut server.connect().await, large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn too_many_fields_are_refused() {
    let server = Running::start(quick());
    let many = format!("GET / HTTP/1.1\r\nHost: stoa\r\n{}\r\n", "X-Many: 1\r\n".repeat(101));
    let answer = exchange(&mut server.connect().await, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Running::start(quick());
    let answer = exchange(&mut server.connect().await, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    // The buffers of both sides fill, then nothing moves until the write time-out.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let started = Instant::now();
    read_to_end(&mut stream).await;
    assert!(started.elapsed() < Duration::from_secs(2), "the flood went on");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_and_go_away() {
    let mut options = quick();
    options.head_timeout = Duration::from_secs(3);
    let server = Running::start(options);
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(server.connect().await);
    }
    let answer =
        exchange(&mut server.connect().await, b"GET / HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for mut stream in idle {
        read_to_end(&mut stream).await;
    }
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_connection_past_the_cap_waits_for_a_place() {
    let mut options = quick();
    options.max_connections = 1;
    let server = Running::start(options);
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_millis(200), second.read(&mut buffer))
        .await
        .expect_err("answered past the cap");
    drop(first);
    assert!(read_to_end(&mut second).await.starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

//! Request bodies: declared or found too large, stalled, dripping, broken, unwanted.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use crate::harness::{Running, exchange, quick, read_to_end};

#[tokio::test]
async fn a_body_within_the_caps_arrives_whole() {
    let server = Running::start(quick());
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n{}",
        "x".repeat(60_000)
    );
    let answer = exchange(&mut server.connect().await, request.as_bytes()).await;
    assert!(answer.ends_with("60000 bytes"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_declared_too_large_is_answered_413_to_a_client_that_sends_all_of_it_first() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", 10 << 20);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 10 << 20]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("larger than 65536 bytes"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_first_never_sends_what_is_too_large() {
    let server = Running::start(quick());
    let answer = exchange(
        &mut server.connect().await,
        b"POST /echo HTTP/1.1\r\nHost: stoa\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_chunked_body_is_counted_as_it_comes() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    let mut request =
        b"POST /echo HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        request.extend_from_slice(b"2000\r\n");
        request.extend_from_slice(&[b'x'; 0x2000]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = exchange(&mut stream, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408() {
    let server = Running::start(quick());
    let answer = exchange(
        &mut server.connect().await,
        b"POST /echo HTTP/1.1\r\nHost: stoa\r\nContent-Length: 100\r\n\r\nonly this",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_drips_is_answered_408() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: stoa\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
    let started = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer = async {
        let mut received = vec![0; 4096];
        let count = tokio::io::AsyncReadExt::read(&mut reading, &mut received).await.unwrap();
        String::from_utf8_lossy(&received[..count]).into_owned()
    };
    let answer = tokio::select! {
        () = drip => panic!("cut without an answer"),
        answer = answer => answer,
    };
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("did not end within"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(4));
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_body_with_broken_framing_is_answered_400() {
    let server = Running::start(quick());
    let answer = exchange(
        &mut server.connect().await,
        b"POST /echo HTTP/1.1\r\nHost: stoa\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_ignores_the_body_still_reaches_the_client() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    let head =
        format!("POST /refuse HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", 4 << 20);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with("not for you"), "{answer}");
    server.stop().await;
}

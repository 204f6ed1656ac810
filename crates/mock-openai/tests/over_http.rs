//! The mock over its real doors: what it says, how it misbehaves, what it remembers.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Sends one request and reads until the other side closes.
async fn exchange(server: &MockServer, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = send(server, method, path, headers, body).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn send(server: &MockServer, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn ask(model: &str, message: &str) -> String {
    json!({"model": model, "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": message}]})
    .to_string()
}

async fn chat(server: &MockServer, model: &str, message: &str) -> String {
    exchange(server, "POST", "/v1/chat/completions", "", &ask(model, message)).await
}

/// The text of all deltas of a well-formed stream.
fn text(answer: &str) -> String {
    let mut text = String::new();
    for line in answer.lines().filter_map(|line| line.strip_prefix("data: {")) {
        let chunk: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    text
}

#[tokio::test]
async fn echo_says_what_it_was_told() {
    let server = Mock::start().await.unwrap();
    let answer = chat(&server, "echo", "Hello  there,\nworld [[rate=0]]").await;
    assert_eq!(text(&answer), "Hello  there,\nworld");
    assert!(answer.contains("\"completion_tokens\":3"), "{answer}");
    assert!(answer.contains("data: [DONE]"));
}

#[tokio::test]
async fn tokens_come_at_their_rate_and_in_order() {
    let server = Mock::start().await.unwrap();
    let started = tokio::time::Instant::now();
    let answer = chat(&server, "counter-20;rate=100", "").await;
    assert_eq!(text(&answer), (0..20).map(|number| number.to_string()).collect::<Vec<_>>().join(" "));
    assert!(started.elapsed() >= Duration::from_millis(190));
}

#[tokio::test]
async fn headers_path_and_message_steer_it() {
    let server = Mock::start().await.unwrap();
    let body = ask("echo", "hi");
    let answer = exchange(&server, "POST", "/v1/chat/completions", "x-mock-status: 503\r\n", &body).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let answer =
        exchange(&server, "POST", "/__scenario/status=429%3Bretry_after=3/v1/chat/completions", "", &body).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 3"), "{answer}");
    let answer = exchange(&server, "GET", "/__scenario/redirect=http:%2F%2F127.0.0.1:1%2F/v1/models", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 307") && answer.contains("location: http://127.0.0.1:1/"), "{answer}");
}

#[tokio::test]
async fn it_breaks_in_all_the_ways_it_promises() {
    let server = Mock::start().await.unwrap();
    let cut = chat(&server, "cut", "").await;
    assert!(!cut.ends_with("0\r\n\r\n") && text_lines(&cut) >= 8, "{cut}");
    let unfinished = chat(&server, "unfinished", "").await;
    assert!(unfinished.ends_with("0\r\n\r\n") && !unfinished.contains("[DONE]"), "{unfinished}");
    assert!(chat(&server, "error-midstream", "").await.contains("\"error\""));
    assert!(chat(&server, "error-html", "").await.contains("<!doctype html>"));
    assert!(chat(&server, "think-tags", "hm").await.contains("<think>"));
    assert!(chat(&server, "whole", "all at once").await.contains("\"content\":\"all at once\""));
    assert!(chat(&server, "no-such-model", "").await.starts_with("HTTP/1.1 404"));
    assert!(chat(&server, "giant-line;giant_bytes=200000", "").await.matches('a').count() >= 199_000);
}

fn text_lines(answer: &str) -> usize {
    answer.lines().filter(|line| line.starts_with("data: ")).count()
}

#[tokio::test]
async fn it_remembers_what_came_and_notices_who_left() {
    let server = Mock::start().await.unwrap();
    chat(&server, "echo", "kept").await;
    let stalled = send(&server, "POST", "/v1/chat/completions", "Authorization: Bearer k\r\n", &ask("stall", "")).await;
    for _ in 0..200 {
        if server.requests().last().is_some_and(|request| request.tokens == 8) {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.counts().open, 1);
    drop(stalled);
    for _ in 0..200 {
        if server.counts().cancelled == 1 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let counts = server.counts();
    assert_eq!((counts.received, counts.finished, counts.cancelled, counts.open), (2, 1, 1, 0));
    let requests = server.requests();
    assert_eq!(requests[0].body["messages"][0]["content"], "kept");
    assert_eq!(requests[1].headers["authorization"], "Bearer k");
    assert_eq!(requests[1].outcome, Outcome::Cancelled);

    let shown = exchange(&server, "GET", "/__mock/requests", "", "").await;
    assert!(shown.contains("\"cancelled\":1"), "{shown}");
    let shown = exchange(&server, "DELETE", "/__mock/requests", "", "").await;
    assert!(shown.contains("\"received\":0"), "{shown}");
}

#[tokio::test]
async fn a_key_is_wanted_where_one_was_set() {
    let server = Mock::default().key("secret").serve().await.unwrap();
    let answer = chat(&server, "echo", "hi").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let headers = "Authorization: Bearer secret\r\n";
    let answer = exchange(&server, "GET", "/v1/models", headers, "").await;
    assert!(answer.contains("mock-20tps"), "{answer}");
}

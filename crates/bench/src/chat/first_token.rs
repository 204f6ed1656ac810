//! What the server adds to the time to the first token: a turn as a browser has it, its event stream open already,
//! against a direct call of the provider.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::api::{Api, EventBody, Http, count, http, text};
use crate::processes::{Stoa, Upstream};
use crate::report::{Better, Line, Report, median};

const WARM_UP: usize = 20;
const RUNS: usize = 300;
/// The target: milliseconds over a direct call.
const OVERHEAD_MS: f64 = 2.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    let directory = tempfile::tempdir()?;
    let allow = mock.address.to_string();
    let server = Stoa::start(directory.path(), &[("STOA_EGRESS_ALLOW", &allow)]).await?;
    let api = Api::sign_in(server.address).await?;
    api.add_mock(mock.address, "tokens=8").await?;
    let mut conversations = Vec::new();
    for _ in 0..WARM_UP + RUNS {
        conversations.push(api.new_conversation().await?);
    }
    let mut events = EventBody::new(api.open(Method::GET, "/api/v1/events", None).await?.into_body());
    let greeting = events.until("event: stream").await?;
    let stream = text(&data(&greeting)?, "id")?;
    let direct = http();
    let (mut turns, mut calls, mut overheads) = (Vec::new(), Vec::new(), Vec::new());
    for (run, conversation) in conversations.iter().enumerate() {
        // By turns, so that whatever else the machine does meets both.
        let call = direct_call(&direct, mock.address).await?;
        let turn = turn(&api, conversation, &stream, &mut events).await?;
        if run >= WARM_UP {
            turns.push(turn);
            calls.push(call);
            overheads.push(turn - call);
        }
    }
    let overhead = median(&overheads);
    report.add(&Line::new("first-token-overhead", (overhead, "ms"), ("target", OVERHEAD_MS), Better::Lower, RUNS))?;
    let (turn, call) = (median(&turns), median(&calls));
    report.add(&Line::new("first-token", (turn, "ms"), ("direct call", call), Better::Lower, RUNS))?;
    Ok(())
}

/// Milliseconds from the message to the first delta on the stream.
async fn turn(api: &Api, conversation: &str, stream: &str, events: &mut EventBody) -> anyhow::Result<f64> {
    let message = count();
    let begun = Instant::now();
    let turn = api.say(conversation, &message).await?;
    let subscribe = json!({ "subscribe": [turn.generation] });
    api.post(&format!("/api/v1/events/{stream}/subscriptions"), &subscribe).await?;
    events.until("event: delta").await?;
    let taken = begun.elapsed();
    events.until("event: finish").await?;
    Ok(taken.as_secs_f64() * 1_000.0)
}

/// Milliseconds from the request to the first token of the provider itself.
async fn direct_call(client: &Http, mock: SocketAddr) -> anyhow::Result<f64> {
    let body = json!({
        "model": "counter", "stream": true, "messages": [{ "role": "user", "content": "count" }],
        "stream_options": { "include_usage": true },
    });
    let body: Bytes = serde_json::to_vec(&body)?.into();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{mock}/__scenario/tokens=8/v1/chat/completions"))
        .header(CONTENT_TYPE, "application/json");
    let begun = Instant::now();
    let answer = client.request(request.body(Full::new(body))?).await?;
    let mut events = EventBody::new(answer.into_body());
    events.until("\"content\":\"0").await?;
    let taken = begun.elapsed();
    events.until("[DONE]").await?;
    Ok(taken.as_secs_f64() * 1_000.0)
}

fn data(event: &[u8]) -> anyhow::Result<Value> {
    let text = std::str::from_utf8(event)?;
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).context("an event has no data")?;
    Ok(serde_json::from_str(data)?)
}

//! One person at `/v1/chat/completions`, and what comes when.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::MODEL;
use crate::api::{Api, EventBody, Http, http, text};

const SILENCE: Duration = Duration::from_mins(2);

#[derive(Clone)]
pub(super) struct Client {
    http: Http,
    address: SocketAddr,
    /// `None` for a server that asks for none.
    key: Option<String>,
}

/// An answer and the moments at which its tokens came.
pub(super) struct Answer {
    pub(super) asked: Instant,
    pub(super) tokens: Vec<Instant>,
    pub(super) prompt_tokens: u64,
    pub(super) text: String,
}

impl Answer {
    /// Milliseconds.
    pub(super) fn first_token(&self) -> Option<f64> {
        self.tokens.first().map(|first| (*first - self.asked).as_secs_f64() * 1_000.0)
    }
}

impl Client {
    /// Makes a key for whoever this cookie belongs to.
    pub(super) async fn with_cookie(address: SocketAddr, cookie: String) -> anyhow::Result<Self> {
        let api = Api::anonymous(address).with_cookie(cookie);
        let made: Value = serde_json::from_slice(&api.post("/api/v1/api-keys", &json!({ "name": "bench" })).await?)?;
        Ok(Self { http: http(), address, key: Some(text(&made, "key")?) })
    }

    pub(super) fn without_key(address: SocketAddr) -> Self {
        Self { http: http(), address, key: None }
    }

    /// Asks, and reads the answer to its end; `None` when too much of this person's is waiting already.
    pub(super) async fn ask(&self, question: &str, max_tokens: u32) -> anyhow::Result<Option<Answer>> {
        let body = json!({
            "model": format!("local/{MODEL}"), "stream": true, "temperature": 0, "max_tokens": max_tokens,
            "messages": [{ "role": "user", "content": question }], "stream_options": { "include_usage": true },
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}/v1/chat/completions", self.address))
            .header(AUTHORIZATION, self.key.as_ref().map_or_else(String::new, |key| format!("Bearer {key}")))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(serde_json::to_vec(&body)?.into()))?;
        let asked = Instant::now();
        let response = timeout(SILENCE, self.http.request(request)).await.context("nobody answered")??;
        if response.status() == StatusCode::TOO_MANY_REQUESTS || response.status() == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(None);
        }
        if !response.status().is_success() {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            bail!("the answer is {status}: {}", String::from_utf8_lossy(&body));
        }
        let mut events = EventBody::new(response.into_body());
        let mut answer = Answer { asked, tokens: Vec::new(), prompt_tokens: 0, text: String::new() };
        loop {
            let event = timeout(SILENCE, events.next()).await.context("the model has fallen silent")??;
            let event = std::str::from_utf8(&event)?;
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            if data == "[DONE]" {
                return Ok(Some(answer));
            }
            let chunk: Value = serde_json::from_str(data)?;
            if let Some(error) = chunk.get("error") {
                bail!("the model failed: {error}");
            }
            let said = chunk["choices"][0]["delta"]["content"].as_str();
            if let Some(said) = said.filter(|said| !said.is_empty()) {
                answer.tokens.push(Instant::now());
                answer.text.push_str(said);
            }
            if let Some(tokens) = chunk["usage"]["prompt_tokens"].as_u64() {
                answer.prompt_tokens = tokens;
            }
        }
    }
}

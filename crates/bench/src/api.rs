//! A signed-in client of the API, for everything that is not an event stream of thousands.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use memchr::memmem;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::processes::{EMAIL, PASSWORD};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn http() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

#[derive(Clone)]
pub(crate) struct Api {
    http: Http,
    pub(crate) address: SocketAddr,
    cookie: String,
}

/// A turn that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) generation: String,
}

impl Api {
    pub(crate) async fn sign_in(address: SocketAddr) -> anyhow::Result<Self> {
        let mut api = Self::anonymous(address);
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let response = api.open(Method::POST, "/api/v1/session", Some(&body)).await?;
        let cookie = response.headers().get(SET_COOKIE).context("signing in gave no cookie")?.to_str()?;
        cookie.split(';').next().unwrap_or_default().clone_into(&mut api.cookie);
        Ok(api)
    }

    /// Nobody in particular.
    pub(crate) fn anonymous(address: SocketAddr) -> Self {
        Self { http: http(), address, cookie: String::new() }
    }

    /// Somebody else at the same server.
    pub(crate) fn with_cookie(&self, cookie: String) -> Self {
        Self { cookie, ..self.clone() }
    }

    /// A request whose answer is good and has begun.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(ORIGIN, format!("http://{}", self.address));
        if !self.cookie.is_empty() {
            request = request.header(COOKIE, &self.cookie);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let answer = timeout(TIMEOUT, self.http.request(request.body(Full::new(body.into()))?));
        let answer = answer.await.with_context(|| format!("{path} was not answered in time"))??;
        if !answer.status().is_success() {
            let status = answer.status();
            let text = answer.into_body().collect().await?.to_bytes();
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&text));
        }
        Ok(answer)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Bytes> {
        let answer = self.open(method, path, body).await?;
        let bytes = timeout(TIMEOUT, answer.into_body().collect()).await;
        Ok(bytes.with_context(|| format!("the answer of {path} did not end in time"))??.to_bytes())
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Bytes> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Adds the mock as the provider `mock`, with `counter` for a model that behaves as `options` say.
    pub(crate) async fn add_mock(&self, mock: SocketAddr, options: &str) -> anyhow::Result<()> {
        let provider = json!({
            "name": "Mock", "slug": "mock", "kind": "openai", "enabled": true,
            "base_url": format!("http://{mock}/__scenario/{options}/v1"),
        });
        let provider: Value = serde_json::from_slice(&self.post("/api/v1/providers", &provider).await?)?;
        let path = format!("/api/v1/providers/{}/models", text(&provider, "id")?);
        let models = json!({ "models": [{ "name": "counter" }] });
        self.send(Method::PUT, &path, Some(&models)).await?;
        Ok(())
    }

    pub(crate) async fn new_conversation(&self) -> anyhow::Result<String> {
        let made: Value = serde_json::from_slice(&self.post("/api/v1/conversations", &json!({})).await?)?;
        text(&made, "id")
    }

    /// Says something in a conversation.
    pub(crate) async fn say(&self, conversation: &str, message: &Value) -> anyhow::Result<Turn> {
        let answer = self.post(&format!("/api/v1/conversations/{conversation}/messages"), message).await?;
        Ok(Turn { generation: text(&serde_json::from_slice(&answer)?, "generation_id")? })
    }

    /// Follows one answer.
    pub(crate) async fn follow(&self, turn: &Turn) -> anyhow::Result<EventBody> {
        let path = format!("/api/v1/generations/{}/events", turn.generation);
        Ok(EventBody::new(self.open(Method::GET, &path, None).await?.into_body()))
    }

    /// Waits until an answer is written to its end.
    pub(crate) async fn finished(&self, turn: &Turn) -> anyhow::Result<()> {
        self.follow(turn).await?.until("event: finish").await.map(drop)
    }

    /// The head of a request for an event stream, for readers that speak HTTP themselves.
    pub(crate) fn stream_request(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n", self.address, self.cookie)
    }
}

/// What is said in a turn with the mock.
pub(crate) fn count() -> Value {
    json!({ "parts": [{ "type": "text", "text": "count" }], "model": "mock/counter" })
}

pub(crate) fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value.get(field).and_then(Value::as_str);
    Ok(text.with_context(|| format!("`{field}` is missing in {value}"))?.to_owned())
}

/// An event stream read event by event.
pub(crate) struct EventBody {
    body: Incoming,
    begun: BytesMut,
}

impl EventBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, begun: BytesMut::new() }
    }

    /// The next event that holds `needle`; those before it are left aside.
    pub(crate) async fn until(&mut self, needle: &str) -> anyhow::Result<Bytes> {
        loop {
            let event =
                timeout(TIMEOUT, self.next()).await.with_context(|| format!("no `{needle}` came in time"))??;
            if memmem::find(&event, needle.as_bytes()).is_some() {
                return Ok(event);
            }
            if event.starts_with(b"event: error") {
                bail!("an answer failed: {}", String::from_utf8_lossy(&event));
            }
        }
    }

    /// The next event, or an error when the stream is over.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Bytes> {
        loop {
            if let Some(end) = memmem::find(&self.begun, b"\n\n") {
                return Ok(self.begun.split_to(end + 2).freeze());
            }
            let frame = self.body.frame().await.context("the stream ended too early")??;
            if let Ok(data) = frame.into_data() {
                self.begun.extend_from_slice(&data);
            }
        }
    }
}

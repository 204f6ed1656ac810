//! A real `stoa` process, and a small client that behaves like a browser.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

pub(crate) const EMAIL: &str = "owner@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A server process with everything it wrote to its log.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<String>>,
}

/// The program with nothing of this environment but what it needs.
pub(crate) fn stoa(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(variables.iter().copied());
    command
}

impl Server {
    /// Starts a server on a free port, with the owner account made.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::try_start(variables).unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// The log, when it ended instead of becoming ready.
    pub(crate) fn try_start(variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = stoa(&[
            ("STOA_LISTEN", "127.0.0.1:0"),
            ("STOA_OLLAMA_LISTEN", "off"),
            ("STOA_OWNER_EMAIL", EMAIL),
            ("STOA_OWNER_PASSWORD", PASSWORD),
            ("STOA_TITLES", "false"),
            ("STOA_LOG_FORMAT", "text"),
            ("STOA_DRAIN_SECONDS", "1"),
        ]);
        command.envs(variables.iter().copied()).arg("serve").stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            let found = line.split("ready at http://").nth(1).and_then(|rest| rest.split_whitespace().next());
            address = found.map(|text| text.trim_matches('"').parse().unwrap());
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
            if address.is_some() {
                break;
            }
        }
        let Some(address) = address else {
            let _ = child.wait();
            return Err(log.lock().unwrap().clone());
        };
        let rest = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = rest.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Ok(Self { child, address, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> String {
        let killed = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(killed.success());
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }

        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log.lock().unwrap());
        }
    }
}

/// A signed-in browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) address: SocketAddr,
    cookie: String,
    key: String,
}

impl Browser {
    pub(crate) async fn sign_in(address: SocketAddr) -> Self {
        Self::sign_in_as(address, EMAIL, PASSWORD).await
    }

    /// Without any credential.
    pub(crate) fn nobody(address: SocketAddr) -> Self {
        Self::with_key(address, "")
    }

    /// A program with an API key.
    pub(crate) fn with_key(address: SocketAddr, key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address, cookie: String::new(), key: key.to_owned() }
    }

    pub(crate) async fn sign_in_as(address: SocketAddr, email: &str, password: &str) -> Self {
        let mut browser = Self::nobody(address);
        let body = json!({ "email": email, "password": password });
        let (status, headers, body) = browser.send(Method::POST, "/api/v1/session", Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let cookie = headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut browser.cookie);
        browser
    }

    /// The same browser at another replica.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, HeaderMap, Value) {
        let response = self.open(method, path, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into()));
        (parts.status, parts.headers, value)
    }

    /// The status, and the beginning of the body as text: streams are not read to their end.
    pub(crate) async fn status(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, String) {
        let response = self.open(method, path, body).await;
        let status = response.status();
        let first = tokio::time::timeout(Duration::from_secs(5), response.into_body().frame()).await;
        let data = first.ok().flatten().and_then(Result::ok).and_then(|frame| frame.into_data().ok());
        (status, data.map(|data| String::from_utf8_lossy(&data).into_owned()).unwrap_or_default())
    }

    /// A body as it is, JSON or not.
    pub(crate) async fn raw(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        let origin = format!("http://{}", self.address);
        let response = self.request(method, path, &origin, Some(body.into())).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// What another site makes this browser send.
    pub(crate) async fn cross_site(&self, method: Method, path: &str) -> (StatusCode, String) {
        let response = self.request(method, path, "https://evil.example", Some(Bytes::from_static(b"{}"))).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> http::Response<hyper::body::Incoming> {
        let body = body.map(|body| serde_json::to_vec(body).unwrap().into());
        self.request(method, path, &format!("http://{}", self.address), body).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        origin: &str,
        body: Option<Bytes>,
    ) -> http::Response<hyper::body::Incoming> {
        let uri = format!("http://{}{path}", self.address);
        let mut request = http::Request::builder().method(method).uri(uri).header("origin", origin);
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if !self.key.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.client.request(request.body(Full::new(body.unwrap_or_default())).unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, _, body) = self.send(Method::POST, path, Some(&body)).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Adds the mock as the provider `mock` with one model.
    pub(crate) async fn add_mock(&self, base_url: &str, model: &str) {
        let provider = json!({
            "name": "Mock", "slug": "mock", "kind": "openai", "base_url": base_url, "enabled": true,
        });
        let provider = self.post("/api/v1/providers", provider).await;
        let path = format!("/api/v1/providers/{}/models", provider["id"].as_str().unwrap());
        let models = json!({ "models": [{ "name": model }] });
        let (status, _, body) = self.send(Method::PUT, &path, Some(&models)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    /// Begins a turn in a new conversation: its ids, with the conversation's.
    pub(crate) async fn begin(&self, model: &str) -> Value {
        let conversation = self.post("/api/v1/conversations", json!({})).await;
        let id = conversation["id"].as_str().unwrap();
        let message = json!({ "parts": [{ "type": "text", "text": "count" }], "model": format!("mock/{model}") });
        let mut turn = self.post(&format!("/api/v1/conversations/{id}/messages"), message).await;
        turn["conversation_id"] = conversation["id"].clone();
        turn
    }

    /// The answer of a turn, as it is kept.
    pub(crate) async fn answer(&self, turn: &Value) -> Value {
        let conversation = turn["conversation_id"].as_str().unwrap();
        let page = self.get(&format!("/api/v1/conversations/{conversation}/messages")).await;
        page["items"].as_array().unwrap().last().unwrap().clone()
    }

    /// Waits until the answer is no longer being written.
    pub(crate) async fn settled(&self, turn: &Value, at_most: Duration) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.answer(turn).await;
            if answer["status"] != "running" {
                return answer;
            }
            assert!(begun.elapsed() < at_most, "the answer is still being written: {answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Follows a generation.
    pub(crate) async fn follow(&self, turn: &Value, after: u64) -> Events {
        let path = format!("/api/v1/generations/{}/events?after={after}", turn["generation_id"].as_str().unwrap());
        let response = self.open(Method::GET, &path, None).await;
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), rest: String::new(), text: String::new(), seq: after }
    }
}

/// The events of one generation, and the text they make.
pub(crate) struct Events {
    body: hyper::body::Incoming,
    rest: String,
    pub(crate) text: String,
    pub(crate) seq: u64,
}

impl Events {
    /// The next event; `None` at the end of the stream, however it came.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let parsed = field("event:").zip(field("data:"));
                let parsed = parsed.map(|(name, data)| (name.to_owned(), serde_json::from_str(data).unwrap()));
                let rest = rest.to_owned();
                self.rest = rest;
                if let Some((name, data)) = parsed {
                    self.apply(&name, &data);
                    return Some((name, data));
                }
                continue;
            }
            let frame = tokio::time::timeout(Duration::from_secs(40), self.body.frame()).await.expect("events come");
            let data = frame?.ok()?.into_data().ok()?;
            self.rest.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// Reads until `seq`, or the end.
    pub(crate) async fn until(&mut self, seq: u64) {
        while self.seq < seq && self.next().await.is_some() {}
    }

    fn apply(&mut self, name: &str, data: &Value) {
        match name {
            "delta" => {
                let first = data["first"].as_u64().or(data["seq"].as_u64()).unwrap();
                assert_eq!(first, self.seq + 1, "a delta is lost, doubled or out of order");
                self.seq = data["seq"].as_u64().unwrap();
                self.text.push_str(data["text"].as_str().unwrap());
            }
            "snapshot" => {
                self.seq = data["seq"].as_u64().unwrap();
                self.text =
                    data["parts"].as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect();
            }
            _ => {}
        }
    }
}

/// `STOA_TEST_MODEL` says where it is; otherwise it is looked for where `./x run` puts it.
pub(crate) fn starter_model() -> String {
    let cached = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    std::env::var("STOA_TEST_MODEL").unwrap_or_else(|_| cached.to_owned())
}

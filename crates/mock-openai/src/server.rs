//! The server: accepts, reads a request, finds its scenario and answers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::ScriptBody;
use crate::chunk::{CREATED, Chunks};
use crate::dialect::{Dialect, bedrock};
use crate::record::{Counts, Entry, Outcome, Recorded, Records};
use crate::scenario::{ErrorBody, MODELS, Scenario, without_directive};
use crate::script::{Asked, Script, Tokens};
use crate::signed::Signed;
use crate::vectors;

/// A longer request is refused.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// How the mock is set up.
#[derive(Clone, Debug)]
pub struct Mock {
    listen: SocketAddr,
    key: Option<String>,
}

impl Default for Mock {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), key: None }
    }
}

impl Mock {
    /// Starts one on a free port of this machine, open to everybody.
    pub async fn start() -> io::Result<MockServer> {
        Self::default().serve().await
    }

    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Requests must carry this bearer key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub async fn serve(self) -> io::Result<MockServer> {
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { records: Records::default(), key: self.key, epoch: Instant::now() });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let accepting = accept(listener, Arc::clone(&state), tasks.clone(), stop.clone());
        tasks.spawn(accepting);
        Ok(MockServer { address, state, tasks, stop })
    }
}

/// A running mock. Dropping it stops it at once.
pub struct MockServer {
    address: SocketAddr,
    state: Arc<State>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl MockServer {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a provider is configured with: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A base URL whose every request follows `options`, whatever its model.
    pub fn base_url_with(&self, options: &str) -> String {
        format!("http://{}/__scenario/{options}/v1", self.address)
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.state.records.requests()
    }

    pub fn counts(&self) -> Counts {
        self.state.records.counts()
    }

    /// Runs until the process ends.
    pub async fn run(self) {
        self.stop.cancelled().await;
    }

    /// Closes every connection and waits until they are.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct State {
    records: Records,
    key: Option<String>,
    epoch: Instant,
}

async fn accept(listener: TcpListener, state: Arc<State>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        // Out of file descriptors, most likely: the next one may find some.
        let Ok((stream, _)) = accepted else {
            sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (state, stop) = (Arc::clone(&state), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = serve(stream, state) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(state.answer(request).await) }
    });
    // An aborted body ends the connection with an error; that is what was asked for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
            return error(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long", None);
        };
        let body = body.to_bytes();
        let whole_path = head.uri.path();
        if whole_path == "/__mock/requests" {
            return self.report(&head.method);
        }
        let (path_options, path) = scenario_of_path(whole_path);
        let recorded = head.uri.path_and_query().map_or(whole_path, http::uri::PathAndQuery::as_str);
        let entry = self.records.open(head.method.as_str(), recorded, &head.headers, &body);
        if let Some(key) = &self.key
            && !shows(&head.headers, key)
            && !(Signed { method: &head.method, uri: &head.uri, body: &body }).is_by(&head.headers, key)
        {
            entry.close(Outcome::Finished);
            return error(StatusCode::UNAUTHORIZED, "Incorrect API key provided.", Some("invalid_api_key"));
        }
        let is_anthropic = head.headers.contains_key("anthropic-version");
        if head.method == Method::GET
            && let Some(dialect) = Dialect::of_list(path, is_anthropic)
        {
            if path.ends_with("/inference-profiles") {
                entry.close(Outcome::Finished);
                return json(StatusCode::OK, &profiles());
            }
            return models(dialect, &path_options, &head.headers, entry).await;
        }
        let decoded = percent_decoded(path);
        if head.method == Method::POST
            && let Some(answer) = vectors::answer(&decoded, &body)
        {
            entry.close(Outcome::Finished);
            return match answer {
                Ok(answer) => json(StatusCode::OK, &answer),
                Err(fault) => error(StatusCode::BAD_REQUEST, fault, None),
            };
        }
        if head.method == Method::POST
            && let Some((dialect, model)) = Dialect::of_call(&decoded)
        {
            let mut answer = self.complete((dialect, model), &path_options, &head.headers, &body, entry).await;
            let failed = answer.status().is_client_error() || answer.status().is_server_error();
            if failed && matches!(dialect, Dialect::Bedrock { .. }) {
                let named = HeaderValue::from_static(bedrock::error_type(answer.status().as_u16()));
                answer.headers_mut().insert("x-amzn-errortype", named);
            }
            return answer;
        }
        entry.close(Outcome::Finished);
        error(StatusCode::NOT_FOUND, &format!("Invalid URL ({} {path})", head.method), None)
    }

    fn report(&self, method: &Method) -> Answer {
        if *method == Method::DELETE {
            self.records.reset();
        }
        json(StatusCode::OK, &json!({"counts": self.records.counts(), "requests": self.records.requests()}))
    }

    async fn complete(
        &self,
        (dialect, model): (Dialect, Option<&str>),
        path_options: &str,
        headers: &HeaderMap,
        body: &[u8],
        entry: Entry,
    ) -> Answer {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            entry.close(Outcome::Finished);
            return error(StatusCode::BAD_REQUEST, "We could not parse the JSON body of your request.", None);
        };
        let message = dialect.last_user_message(&request);
        let model = model.or_else(|| request["model"].as_str());
        let scenario = match Scenario::gather(model, &message, headers, path_options) {
            Ok(scenario) => scenario,
            Err(unknown) => {
                entry.close(Outcome::Finished);
                let body = dialect.error(404, &unknown.0, "invalid_request_error", Some("model_not_found"));
                return json(StatusCode::NOT_FOUND, &body);
            }
        };
        sleep(scenario.head).await;
        if let Some(answer) = misbehave(dialect, &scenario) {
            entry.close(Outcome::Finished);
            return answer;
        }
        let id = format!("chatcmpl-mock-{}", entry.number());
        let model = model.unwrap_or("echo");
        let prompt_tokens = dialect.count_prompt(&request);
        let mut echoed = without_directive(&message);
        for kind in dialect.pictures(&request) {
            echoed.extend([" [saw ", &kind, "]"]);
        }
        let streams = request["stream"].as_bool() == Some(true)
            || matches!(dialect, Dialect::Gemini | Dialect::Bedrock { streams: true });
        if scenario.whole || !streams {
            return whole(&scenario, (dialect, &id, model), &echoed, prompt_tokens, entry).await;
        }
        let include_usage = request["stream_options"]["include_usage"].as_bool() == Some(true);
        let chunks = Chunks::new(&id, model, &scenario);
        let tool = dialect.tool(&request).filter(|_| scenario.call);
        let call = tool.map(|name| (name.to_owned(), json!({"said": echoed})));
        let asked = Asked { echoed: &echoed, prompt_tokens, include_usage, call };
        let script = Script::new(scenario, chunks, dialect.voice(&id, model), asked);
        let mut response = Response::new(ScriptBody::new(script, entry, self.epoch).boxed_unsync());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Whether the key is shown where one of the protocols has it.
fn shows(headers: &HeaderMap, key: &str) -> bool {
    let shown = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    shown(AUTHORIZATION.as_str()).is_some_and(|value| value.strip_prefix("Bearer ") == Some(key))
        || ["x-api-key", "x-goog-api-key", "api-key"].into_iter().any(|name| shown(name) == Some(key))
}

/// Splits `/__scenario/OPTIONS/rest` into the options, percent-decoded, and `/rest`.
fn scenario_of_path(path: &str) -> (String, &str) {
    let Some(rest) = path.strip_prefix("/__scenario/") else { return (String::new(), path) };
    let (options, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (percent_decoded(options), path)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escaped = text.get(index + 1..index + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) if bytes[index] == b'%' => {
                decoded.push(byte);
                index += 3;
            }
            _ => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The profiles of models that Bedrock lists beside them.
fn profiles() -> Value {
    let id = "us.mock.echo";
    json!({"inferenceProfileSummaries": [{"inferenceProfileId": id, "inferenceProfileName": "US Echo", "models": [],
        "inferenceProfileArn": format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}"),
        "status": "ACTIVE", "type": "SYSTEM_DEFINED"}]})
}

async fn models(dialect: Dialect, path_options: &str, headers: &HeaderMap, entry: Entry) -> Answer {
    let scenario = Scenario::gather(None, "", headers, path_options);
    if let Ok(scenario) = &scenario {
        sleep(scenario.head).await;
    }
    entry.close(Outcome::Finished);
    match scenario {
        Err(unknown) => error(StatusCode::BAD_REQUEST, &unknown.0, None),
        Ok(scenario) => misbehave(dialect, &scenario).unwrap_or_else(|| json(StatusCode::OK, &dialect.list(MODELS))),
    }
}

async fn whole(
    scenario: &Scenario,
    (dialect, id, model): (Dialect, &str, &str),
    echoed: &str,
    prompt_tokens: u64,
    entry: Entry,
) -> Answer {
    let (text, tokens) = Tokens::of(scenario, echoed).all();
    let mut wait = scenario.first;
    if scenario.rate > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "at most a million")]
        let seconds = tokens as f64 / scenario.rate;
        wait += std::time::Duration::from_secs_f64(seconds);
    }
    sleep(wait).await;
    entry.sent(tokens);
    entry.close(Outcome::Finished);
    let thought = (0..scenario.reasoning).map(crate::texts::lorem).collect::<Vec<_>>().join(" ");
    if matches!(dialect, Dialect::Bedrock { .. }) {
        let answer = bedrock::whole(&thought, &text, &scenario.finish, prompt_tokens, tokens + scenario.reasoning);
        return json(StatusCode::OK, &answer);
    }
    let mut message = json!({"role": "assistant", "content": text, "refusal": null});
    if scenario.reasoning > 0 {
        message["reasoning_content"] = Value::from(thought);
    }
    json(
        StatusCode::OK,
        &json!({
            "id": id, "object": "chat.completion", "created": CREATED, "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": scenario.finish}],
            "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens},
        }),
    )
}

/// The answer of a scenario that never comes to a completion.
fn misbehave(dialect: Dialect, scenario: &Scenario) -> Option<Answer> {
    if let Some(location) = &scenario.redirect {
        let mut response = json(scenario.redirect_status, &Value::Null);
        response.headers_mut().insert(LOCATION, HeaderValue::from_str(location).ok()?);
        return Some(response);
    }
    let status = scenario.status?;
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", "invalid_api_key"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("requests", "rate_limit_exceeded"),
        _ => ("server_error", "mock"),
    };
    let text = format!("The mock was told to answer {}", status.as_u16());
    let error = dialect.error(status.as_u16(), &text, kind, Some(code));
    let mut response = match scenario.error_body {
        ErrorBody::Json => json(status, &error),
        ErrorBody::List => json(status, &json!([error])),
        ErrorBody::Nested => json(status, &json!({"detail": [{"loc": ["body"], "msg": text, "type": "mock"}]})),
        ErrorBody::Text => full(status, "text/plain", text),
        ErrorBody::Empty => full(status, "text/plain", String::new()),
        ErrorBody::Html => full(
            status,
            "text/html",
            format!("<!doctype html>\n<html><head><title>{status}</title></head><body><h1>{text}</h1></body></html>"),
        ),
    };
    if let Some(value) = scenario.retry_after.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    Some(response)
}

fn error(status: StatusCode, message: &str, code: Option<&str>) -> Answer {
    json(status, &json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}))
}

fn json(status: StatusCode, body: &Value) -> Answer {
    full(status, "application/json", body.to_string())
}

fn full(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut response =
        Response::new(Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

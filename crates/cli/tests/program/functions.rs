//! Functions, from a template to a model that people chat with, in real sandboxes, and what becomes of them when the server
//! is killed.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Browser, Server};

/// A function of a template, by its id.
pub(crate) async fn made(owner: &Browser, name: &str, template: &str) -> String {
    let made = owner.post("/api/v1/functions", json!({ "name": name, "template": template })).await;
    format!("/api/v1/functions/{}", made["id"].as_str().unwrap())
}

/// Writes a file of it.
pub(crate) async fn write(owner: &Browser, function: &str, path: &str, text: &str) {
    let revision = owner.get(function).await["revision"].clone();
    let change = json!({ "revision": revision, "changes": [{ "path": path, "text": text }] });
    let (status, _, body) = owner.send(Method::PUT, &format!("{function}/code"), Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

pub(crate) async fn publish(owner: &Browser, function: &str) -> Value {
    owner.post(&format!("{function}/versions"), json!({})).await
}

pub(crate) async fn call(
    owner: &Browser,
    function: &str,
    target: &str,
    path: &str,
    body: &Value,
) -> (StatusCode, HeaderMap, Value) {
    let method = if body.is_null() { "GET" } else { "POST" };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let asked = json!({
        "target": target, "method": method, "path": path, "body": body,
        "headers": [["content-type", "application/json"]],
    });
    owner.send(Method::POST, &format!("{function}/try"), Some(&asked)).await
}

pub(crate) fn question(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }] })
}

pub(crate) fn said(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap_or_default()
}

/// A program that answers this to everything.
fn answering(text: &str) -> String {
    format!(
        r#"
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = {text:?}.encode() + os.environ.get("TOKEN", "").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        for name in ("cookie", "authorization", "x-forwarded-prefix"):
            self.send_header("x-had-" + name, self.headers.get(name, "none"))
        self.send_header("set-cookie", "stoa_session=stolen")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        print("asked for", self.path)
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_goes_from_a_template_to_a_model_and_through_a_canary() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let engine = owner.get("/api/v1/functions/engine").await;
    assert_eq!((&engine["available"], &engine["may_create"]), (&json!(true), &json!(true)), "{engine}");

    let agent = made(&owner, "agent", "python-agent").await;
    let (status, headers, answer) = call(&owner, &agent, "latest", "/v1/chat/completions", &question("hi")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(said(&answer), "Hello from your own agent! You said: hi");
    assert_eq!(headers["x-stoa-version"], "latest");
    assert!(headers.contains_key("x-stoa-cold-start"));

    let source = owner.get(&format!("{agent}/code/file?path=app.py")).await["text"].as_str().unwrap().to_owned();
    write(&owner, &agent, "app.py", &source.replace("Hello from your own agent! ", "One. ")).await;
    let (_, _, answer) = call(&owner, &agent, "latest", "/v1/chat/completions", &question("hi")).await;
    assert_eq!(said(&answer), "One. You said: hi", "what was saved runs");
    let begun = Instant::now();
    loop {
        // The log of what ran before is still to be read.
        let log = owner.get(&format!("{agent}/logs?search=POST")).await;
        let lines = log["lines"].as_array().unwrap().iter();
        let instances: std::collections::BTreeSet<_> = lines.map(|line| line["instance"].as_str().unwrap()).collect();
        if instances.len() == 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{log}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(publish(&owner, &agent).await["number"], 1);
    let (status, _, again) = owner.send(Method::POST, &format!("{agent}/versions"), Some(&json!({}))).await;
    assert_eq!((status, again["code"].as_str()), (StatusCode::CONFLICT, Some("nothing_changed")));

    let model = owner.post(&format!("{agent}/model"), json!({})).await;
    assert_eq!((&model["model"], &model["check"]["ok"]), (&json!("agent/agent"), &json!(true)), "{model}");
    let conversation = owner.post("/api/v1/conversations", json!({})).await;
    let messages = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
    let turn = json!({ "parts": [{ "type": "text", "text": "hello" }], "model": "agent/agent" });
    let mut turn = owner.post(&messages, turn).await;
    turn["conversation_id"] = conversation["id"].clone();
    let answer = owner.settled(&turn, Duration::from_secs(20)).await;
    assert_eq!((&answer["status"], &answer["parts"][0]["text"]), (&json!("complete"), &json!("One. You said: hello")));

    write(&owner, &agent, "app.py", &source.replace("Hello from your own agent! ", "Two. ")).await;
    assert_eq!(publish(&owner, &agent).await["number"], 2);
    let (_, headers, answer) = call(&owner, &agent, "live", "/v1/chat/completions", &question("hi")).await;
    assert_eq!((headers["x-stoa-version"].to_str().unwrap(), said(&answer)), ("1", "One. You said: hi"), "live stays");
    let canary = json!({ "version": 1, "canary": { "version": 2, "percent": 50 }, "sticky": { "header": "x-user" } });
    let (status, _, body) = owner.send(Method::PUT, &format!("{agent}/aliases/live"), Some(&canary)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let mut seen = [0, 0];
    for _ in 0..30 {
        let (status, headers, answer) = call(&owner, &agent, "live", "/v1/chat/completions", &question("hi")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let version: usize = headers["x-stoa-version"].to_str().unwrap().parse().unwrap();
        assert!(said(&answer).starts_with(["One", "Two"][version - 1]), "{answer}");
        seen[version - 1] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    let split = metrics(&owner, &agent, 33).await;
    let shares = split["by_version"].as_array().unwrap().iter().filter(|share| share["alias"] == "live");
    let shares: Vec<_> =
        shares.map(|share| (share["version"].as_str().unwrap(), share["calls"].as_u64().unwrap())).collect();
    // The chat, its title and the check went to version 1 as well.
    assert!(shares.iter().any(|(version, calls)| *version == "2" && *calls == seen[1]), "{shares:?} {seen:?}");

    let promoted = owner.post(&format!("{agent}/aliases/live/promote"), json!({})).await;
    assert_eq!((&promoted["version"], &promoted["canary"]), (&json!(2), &Value::Null));
    let (_, headers, _) = call(&owner, &agent, "live", "/", &Value::Null).await;
    assert_eq!(headers["x-stoa-version"], "2");
    let back = owner.post(&format!("{agent}/aliases/live/rollback"), json!({})).await;
    assert_eq!(back["version"], 1);

    let (status, _, _) = owner.send(Method::DELETE, &agent, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let models = owner.get("/api/v1/models").await;
    assert!(!models.to_string().contains("agent/agent"), "its model goes with it");
    server.stop();
}

/// Waits until so many calls are on the account.
pub(crate) async fn metrics(owner: &Browser, function: &str, calls: u64) -> Value {
    let begun = Instant::now();
    loop {
        let metrics = owner.get(&format!("{function}/metrics?hours=1")).await;
        if metrics["totals"]["calls"].as_u64().unwrap() >= calls {
            return metrics;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{metrics}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_lets_in_whom_its_owner_says_and_nothing_of_the_application_through() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let hook = made(&owner, "hook", "python-webhook").await;
    write(&owner, &hook, "app.py", &answering("hello ")).await;
    publish(&owner, &hook).await;
    let nobody = Browser::nobody(server.address);
    let (status, _, _) = nobody.send(Method::GET, "/fn/hook/", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "off is as if it were not there");

    let access = |access: &str| json!({ "http": { "access": access, "alias": "live" } });
    owner.send(Method::PATCH, &hook, Some(&access("public"))).await;
    let (status, headers, answer) = owner.send(Method::GET, "/fn/hook/a?b=c", None).await;
    assert_eq!((status, answer.as_str()), (StatusCode::OK, Some("hello ")));
    let header = |name: &str| headers.get(name).map_or("-", |value| value.to_str().unwrap());
    assert_eq!(header("x-had-cookie"), "none", "the session is not the function's to see");
    assert_eq!(header("x-had-x-forwarded-prefix"), "/fn/hook");
    assert_eq!(header("set-cookie"), "-", "nor to set");
    assert!(header("content-security-policy").starts_with("sandbox allow-scripts"), "it runs as of nowhere");
    assert!(!header("content-security-policy").contains("allow-same-origin"));
    let (status, headers, _) = nobody.send(Method::GET, "/fn/hook?x=y", None).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::PERMANENT_REDIRECT, "/fn/hook/?x=y"));

    owner.send(Method::PATCH, &hook, Some(&access("key"))).await;
    for visitor in [&nobody, &owner] {
        let (status, _, problem) = visitor.send(Method::GET, "/fn/hook/", None).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("unauthenticated")));
    }
    let key = owner.post("/api/v1/api-keys", json!({ "name": "k" })).await["key"].as_str().unwrap().to_owned();
    let program = Browser::with_key(server.address, &key);
    let (status, headers, _) = program.send(Method::GET, "/fn/hook/", None).await;
    assert_eq!((status, headers["x-had-authorization"].to_str().unwrap()), (StatusCode::OK, "none"));

    // A secret is there at once, in new instances; it is never shown.
    let (status, _, _) =
        owner.send(Method::PUT, &format!("{hook}/secrets/TOKEN"), Some(&json!({ "value": "s3cret" }))).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, _, answer) = program.send(Method::GET, "/fn/hook/", None).await;
    assert_eq!(answer, "hello s3cret");
    let shown = owner.get(&hook).await;
    assert_eq!(shown["secrets"], json!(["TOKEN"]));
    assert!(!shown.to_string().contains("s3cret"));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_start_says_why_to_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let broken = made(&owner, "broken", "node-agent").await;
    write(&owner, &broken, "index.mjs", "throw new Error('no way in ' + 'here')").await;
    publish(&owner, &broken).await;
    owner.send(Method::PATCH, &broken, Some(&json!({ "http": { "access": "public", "alias": "live" } }))).await;
    let (status, headers, problem) = call(&owner, &broken, "latest", "/", &Value::Null).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::BAD_GATEWAY, Some("function_start_failed")),
        "{problem}"
    );
    assert!(problem["log"].as_str().unwrap().contains("no way in here"), "{problem}");
    assert!(!headers.contains_key("x-stoa-version"));
    let log = owner.get(&format!("{broken}/logs?search=NO%20WAY")).await;
    let lines = log["lines"].as_array().unwrap();
    let of_all = lines.iter().all(|line| line["text"].as_str().unwrap().contains("no way"));
    assert!(of_all && lines.iter().any(|line| line["text"] == "Error: no way in here"), "{log}");
    let (status, _, problem) = Browser::nobody(server.address).send(Method::GET, "/fn/broken/", None).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(!problem.to_string().contains("no way"), "what it wrote is its owner's to see");
    // A change of the settings that cannot be is told by its field.
    let wrong = json!({ "revision": 2, "settings": { "command": ["node", "index.mjs"], "cpu_millis": 51 } });
    let (status, _, problem) = owner.send(Method::PATCH, &broken, Some(&wrong)).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("settings.cpu_millis"))
    );
    // And one that was made of something else is refused.
    let stale = json!({ "revision": 1, "changes": [{ "path": "index.mjs", "deleted": true }] });
    let (status, _, problem) = owner.send(Method::PUT, &format!("{broken}/code"), Some(&stale)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("function_changed")));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_no_instance_and_keeps_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STOA_DATA_DIR", directory.path().to_str().unwrap())];
    let mut server = Server::start(&variables);
    let mut owner = Browser::sign_in(server.address).await;
    let agent = made(&owner, "agent", "python-agent").await;
    publish(&owner, &agent).await;
    for _ in 0..3 {
        let (status, _, answer) = call(&owner, &agent, "live", "/", &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let before = metrics(&owner, &agent, 3).await;
    assert_eq!((&before["totals"]["calls"], &before["totals"]["cold_starts"]), (&json!(3), &json!(1)), "{before}");
    let mut calls = 3;
    for _ in 0..3 {
        for _ in 0..5 {
            call(&owner, &agent, "live", "/", &Value::Null).await;
        }
        // At once, before anything was written to the database.
        calls += 5;
        server.kill();
        server = Server::start(&variables);
        owner = owner.at(server.address);
    }
    let (status, headers, _) = call(&owner, &agent, "live", "/", &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers.contains_key("x-stoa-cold-start"), "the old instance is gone");
    let after = metrics(&owner, &agent, calls + 1).await;
    assert_eq!(after["totals"]["calls"], calls + 1, "nothing is lost and nothing counted twice: {after}");
    assert!(after["totals"]["gb_seconds"].as_f64() >= before["totals"]["gb_seconds"].as_f64());
    let instances = owner.get(&format!("{agent}/instances")).await;
    assert_eq!(instances["items"].as_array().unwrap().len(), 1, "{instances}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_calls_its_function_and_says_what_came_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let job = made(&owner, "job", "python-job").await;
    publish(&owner, &job).await;
    let wrong = json!({ "cron": "every day", "time_zone": "UTC", "alias": "live", "path": "/run", "enabled": true });
    let (status, _, problem) = owner.send(Method::POST, &format!("{job}/timers"), Some(&wrong)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("cron")));
    let timer =
        json!({ "cron": "* * * * *", "time_zone": "Asia/Shanghai", "alias": "live", "path": "/run", "enabled": true });
    let timer = owner.post(&format!("{job}/timers"), timer).await;
    assert!(timer["next_at"].as_str().unwrap().ends_with(":00Z") && timer["last"].is_null(), "{timer}");
    let begun = Instant::now();
    let run = loop {
        let timers = owner.get(&format!("{job}/timers")).await;
        let last = timers["items"][0]["last"].clone();
        if !last.is_null() {
            break last;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{timers}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!((&run["status"], &run["problem"]), (&json!(200), &Value::Null));
    let log = owner.get(&format!("{job}/logs?search=working%20at")).await;
    assert_eq!(log["lines"].as_array().unwrap().len(), 1, "{log}");
    server.stop();
}

/// Echoes the frames of a WebSocket, by hand (RFC 6455).
pub(crate) const SOCKET: &str = r"
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
const server = createServer((_, response) => response.end('plain'));
server.on('upgrade', (request, socket) => {
	const key = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
	socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\nX-Path: ${request.url}\r\n\r\n`);
	socket.on('data', (data) => socket.write(data));
});
server.listen(Number(process.env.PORT), '0.0.0.0');
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_passes_both_ways() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let echo = made(&owner, "echo", "node-agent").await;
    write(&owner, &echo, "index.mjs", SOCKET).await;
    publish(&owner, &echo).await;
    owner.send(Method::PATCH, &echo, Some(&json!({ "http": { "access": "public", "alias": "live" } }))).await;

    let mut socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = "GET /fn/echo/chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(head.contains("x-path: /chat"), "{head}");
    for word in ["hello", "again"] {
        socket.write_all(word.as_bytes()).await.unwrap();
        let mut back = [0; 5];
        socket.read_exact(&mut back).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
    drop(socket);
    let metrics = metrics(&owner, &echo, 1).await;
    assert_eq!(metrics["totals"]["errors"], 0, "on the account when it is over: {metrics}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_deployed_from_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let key = owner.post("/api/v1/api-keys", json!({ "name": "k", "scopes": ["account"] })).await;
    let folder = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let address = format!("http://{}", server.address);
    let deploy = |more: &[&str]| {
        let mut command =
            crate::support::stoa(&[("STOA_API_KEY", key["key"].as_str().unwrap()), ("STOA_DATA_DIR", data)]);
        command.args(["function", "deploy", folder.path().to_str().unwrap(), "--name", "hello", "--server", &address]);
        let output = command.args(more).output().unwrap();
        let said =
            String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr }).into_owned();
        (output.status.success(), said)
    };
    write("app.py", &answering("first"));
    let (done, said) = deploy(&[]);
    assert!(!done && said.contains("function.toml"), "{said}");
    write("function.toml", "command = [\"python3\", \"app.py\"]\n");
    let (done, said) = deploy(&["--note", "from the terminal"]);
    assert!(done && said.contains("version 1, which answers for `live`"), "{said}");
    write("app.py", &answering("second"));
    let (done, said) = deploy(&["--canary", "10"]);
    assert!(done && said.contains("version 2, which answers 10 % of the calls of `live`"), "{said}");
    let (done, said) = deploy(&[]);
    assert!(!done && said.contains("Nothing has changed"), "{said}");
    let list = owner.get("/api/v1/functions").await;
    let hello = format!("/api/v1/functions/{}", list["items"][0]["id"].as_str().unwrap());
    let (_, _, answer) = call(&owner, &hello, "2", "/", &Value::Null).await;
    assert_eq!(answer, "second");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_agent_goes_from_a_template_to_a_model_and_through_a_canary_by_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", data)]);
    let owner = Browser::sign_in(server.address).await;
    let key = owner.post("/api/v1/api-keys", json!({ "name": "k", "scopes": ["account"] })).await;
    let address = format!("http://{}", server.address);
    let folder = directory.path().join("my-agent");
    let place = folder.to_str().unwrap();
    let stoa = |words: &[&str]| {
        let key = key["key"].as_str().unwrap();
        let mut command =
            crate::support::stoa(&[("STOA_API_KEY", key), ("STOA_SERVER", &address), ("STOA_DATA_DIR", data)]);
        let output = command.arg("function").args(words).output().unwrap();
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let done = |words: &[&str]| {
        let (done, said) = stoa(words);
        assert!(done, "{words:?}: {said}");
        said
    };
    let (made, said) = stoa(&["new", place, "--template", "perl-agent"]);
    assert!(!made && said.contains("node-agent"), "{said}");
    assert!(done(&["new", place, "--template", "node-agent"]).contains("index.mjs is the place to change"));
    let (made, said) = stoa(&["new", place]);
    assert!(!made && said.contains("is not empty"), "{said}");
    let (made, said) = stoa(&["model", "my-agent"]);
    assert!(!made && said.contains("there is no function `my-agent`"), "{said}");

    let program = folder.join("index.mjs");
    let source = std::fs::read_to_string(&program).unwrap();
    let saying = |words: &str| {
        assert!(source.contains("Hello from your own agent! "), "{source}");
        std::fs::write(&program, source.replace("Hello from your own agent! ", words)).unwrap();
    };
    saying("One. ");
    assert!(done(&["deploy", place]).contains("version 1, which answers for `live`"));
    assert!(done(&["list"]).contains("my-agent"));
    let said = done(&["model", "my-agent"]);
    let model = said.strip_prefix("my-agent is the model ").and_then(|rest| rest.split_once(" and answers"));
    let model = model.unwrap_or_else(|| panic!("{said}")).0.to_owned();
    let ask = async || {
        let conversation = owner.post("/api/v1/conversations", json!({})).await;
        let messages = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
        let turn = json!({ "parts": [{ "type": "text", "text": "hello" }], "model": model });
        let mut turn = owner.post(&messages, turn).await;
        turn["conversation_id"] = conversation["id"].clone();
        let answer = owner.settled(&turn, Duration::from_secs(20)).await;
        answer["parts"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask().await, "One. You said: hello");

    saying("Two. ");
    assert!(
        done(&["deploy", place, "--canary", "10"]).contains("version 2, which answers 10 % of the calls of `live`")
    );
    let list = owner.get("/api/v1/functions").await;
    let agent = format!("/api/v1/functions/{}", list["items"][0]["id"].as_str().unwrap());
    for _ in 0..60 {
        let (status, _, answer) = call(&owner, &agent, "live", "/v1/chat/completions", &question("hi")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let begun = Instant::now();
    loop {
        let metrics = done(&["metrics", "my-agent"]);
        let split = |version: &str| metrics.lines().any(|line| line.contains("live") && line.contains(version));
        if split("version 1") && split("version 2") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{metrics}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let account = done(&["account", "--hours", "1"]);
    let figures = |line: usize| account.lines().nth(line).unwrap().split_whitespace().skip(1).collect::<Vec<_>>();
    let (agent, all) = (figures(1), figures(2));
    assert!(account.lines().nth(1).unwrap().starts_with("my-agent "), "{account}");
    assert!(agent[0].parse::<u64>().unwrap() >= 60 && agent[1] == "0", "{account}");
    assert!(agent[2].parse::<f64>().unwrap() > 0.0 && agent[3].parse::<f64>().unwrap() > 0.0, "{account}");
    assert_eq!((&agent[4..], &all[1..]), (&["-", "-"][..], &agent[..]), "without prices there are no costs: {account}");
    assert!(done(&["promote", "my-agent"]).contains("`live` is version 2"));
    assert_eq!(ask().await, "Two. You said: hello");
    assert!(done(&["roll-back", "my-agent"]).contains("`live` is version 1"));
    assert_eq!(ask().await, "One. You said: hello");
    let logs = done(&["logs", "my-agent", "--search", "POST /v1/chat/completions", "--limit", "5"]);
    assert_eq!(logs.lines().filter(|line| line.contains("POST /v1/chat/completions")).count(), 5, "{logs}");
    server.stop();
}

/// A package that says what it is told to, as pip installs it.
fn wheel(version: &str, says: &str) -> Vec<u8> {
    use std::io::Write as _;
    let about = format!("greeting-{version}.dist-info");
    let files = [
        ("greeting.py".to_owned(), format!("SAYS = {says:?}\n")),
        (format!("{about}/METADATA"), format!("Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n")),
        (format!("{about}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (format!("{about}/RECORD"), format!("greeting.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")),
    ];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An index of packages, at an address that ends with this.
pub(crate) struct Index {
    folder: tempfile::TempDir,
    server: std::process::Child,
    pub(crate) port: u16,
}

impl Index {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("simple/greeting");
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::write(packages.join("greeting-1.0-py3-none-any.whl"), wheel("1.0", "good morning")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = std::process::Command::new("/usr/bin/python3")
            .args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1"])
            .current_dir(folder.path())
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { folder, server, port }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_are_installed_once_and_kept_with_the_version() {
    let index = Index::start().await;
    let (authority, url) = (format!("127.0.0.1:{}", index.port), format!("http://127.0.0.1:{}/simple", index.port));
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let variables = [("STOA_DATA_DIR", data), ("STOA_EGRESS_ALLOW", &authority), ("STOA_PIP_INDEX", &url)];
    let server = Server::start(&variables);
    let owner = Browser::sign_in(server.address).await;
    let agent = made(&owner, "agent", "python-agent").await;
    let source = owner.get(&format!("{agent}/code/file?path=app.py")).await["text"].as_str().unwrap().to_owned();
    let source = source.replace("import json", "import json\nimport greeting");
    write(&owner, &agent, "app.py", &source.replace("\"Hello from your own agent! \"", "greeting.SAYS + \" \"")).await;
    assert_eq!(owner.get(&format!("{agent}/build")).await["state"], "none");

    write(&owner, &agent, "requirements.txt", "greeting==2.0\n").await;
    let (status, _, problem) = call(&owner, &agent, "latest", "/", &Value::Null).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::BAD_GATEWAY, Some("function_build_failed")),
        "{problem}"
    );
    assert!(problem["log"].as_str().unwrap().contains("greeting==2.0"), "{problem}");

    write(&owner, &agent, "requirements.txt", "greeting==1.0\n").await;
    let (status, _, answer) = call(&owner, &agent, "latest", "/v1/chat/completions", &question("hi")).await;
    assert_eq!((status, said(&answer)), (StatusCode::OK, "good morning You said: hi"), "{answer}");
    let build = owner.get(&format!("{agent}/build")).await;
    assert_eq!(build["state"], "done");
    assert!(build["lines"].to_string().contains("Successfully installed greeting-1.0"), "{build}");
    publish(&owner, &agent).await;
    // Another that asks for the same has them at once, and the same to tell.
    let other = made(&owner, "other", "python-agent").await;
    write(&owner, &other, "requirements.txt", "greeting==1.0\n").await;
    let (status, _, answer) = call(&owner, &other, "latest", "/v1/chat/completions", &question("hi")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(owner.get(&format!("{other}/build")).await["lines"], build["lines"]);
    // What is published has its packages before anybody calls.
    let early = made(&owner, "early", "python-agent").await;
    write(&owner, &early, "requirements.txt", "# early\ngreeting==1.0\n").await;
    publish(&owner, &early).await;
    let begun = Instant::now();
    while owner.get(&format!("{early}/build")).await["state"] != "done" {
        assert!(begun.elapsed() < Duration::from_mins(1), "nothing is installed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // The index is gone, and so is all that was unpacked: the version is what it was.
    server.stop();
    std::fs::remove_dir_all(directory.path().join("functions")).unwrap();
    std::fs::remove_dir_all(index.folder.path().join("simple")).unwrap();
    let server = Server::start(&variables);
    let owner = Browser::sign_in(server.address).await;
    let (status, _, answer) = call(&owner, &agent, "live", "/v1/chat/completions", &question("hi")).await;
    assert_eq!((status, said(&answer)), (StatusCode::OK, "good morning You said: hi"), "{answer}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shall_always_run_runs_before_anybody_calls_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STOA_DATA_DIR", directory.path().to_str().unwrap())];
    let server = Server::start(&variables);
    let owner = Browser::sign_in(server.address).await;
    let agent = made(&owner, "agent", "python-agent").await;
    let mut shown = owner.get(&agent).await;
    shown["settings"]["instances"]["minimum"] = json!(1);
    let change = json!({ "settings": shown["settings"], "revision": shown["revision"] });
    let (status, _, body) = owner.send(Method::PATCH, &agent, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    publish(&owner, &agent).await;
    one_is_ready(&owner, &agent).await;
    server.kill();
    let server = Server::start(&variables);
    one_is_ready(&owner.at(server.address), &agent).await;
    server.stop();
}

async fn one_is_ready(owner: &Browser, function: &str) {
    let begun = Instant::now();
    loop {
        let instances = owner.get(&format!("{function}/instances")).await;
        let ready = |one: &&Value| one["state"] == "ready" && one["version"] == "1";
        if instances["items"].as_array().unwrap().iter().filter(ready).count() == 1 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{instances}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Reads and writes files where its path says, within what it is given: `/read/PATH`, `/write/PATH`, `/fill/PATH` and, to stay in the midst of
/// it, `/flood/PATH`.
const FILES: &str = r#"
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Files(BaseHTTPRequestHandler):
    def do_GET(self):
        what, path = self.path[1:].split("/", 1)
        try:
            if what == "read":
                body = open("/" + path, "rb").read()
            elif what == "write":
                body = str(open("/" + path, "w").write("written by " + os.environ["WHO"])).encode()
            elif what == "link":
                link, target = path.split("@")
                body = str(os.symlink(target, "/" + link)).encode()
            else:
                with open("/" + path, "wb") as file:
                    for _ in range(400):
                        file.write(bytes(1 << 20))
                # A disk may be faster than anybody looks.
                time.sleep(60 if what == "flood" else 0)
                body = b"filled"
            status = 200
        except OSError as error:
            body, status = str(error).encode(), 418
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Files).serve_forever()
"#;

/// A function that does that, with a volume at `/data`.
async fn with_volume(owner: &Browser, name: &str, volume: &str, read_only: bool) -> String {
    let function = made(owner, name, "python-webhook").await;
    write(owner, &function, "app.py", FILES).await;
    mount(owner, &function, json!([{ "volume": volume, "path": "/data", "read_only": read_only }])).await;
    function
}

async fn mount(owner: &Browser, function: &str, volumes: Value) {
    let details = owner.get(function).await;
    let mut settings = details["settings"].clone();
    settings["volumes"] = volumes;
    settings["environment"]["WHO"] = details["name"].clone();
    let change = json!({ "settings": settings, "revision": details["revision"] });
    let (status, _, body) = owner.send(Method::PATCH, function, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_one_person_share_a_volume_which_leads_nowhere_else_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let volumes = directory.path().join("elsewhere");
    let server = Server::start(&[
        ("STOA_DATA_DIR", directory.path().to_str().unwrap()),
        ("STOA_FUNCTION_VOLUMES_DIR", volumes.to_str().unwrap()),
    ]);
    let owner = Browser::sign_in(server.address).await;
    let room = "/api/v1/function-volumes/room";
    owner.post("/api/v1/function-volumes", json!({ "name": "room", "size_mib": 128 })).await;
    let writer = with_volume(&owner, "writer", "room", false).await;
    let reader = with_volume(&owner, "reader", "room", true).await;
    let get = async |function: &str, target: &str, path: &str| {
        let (status, _, answer) = call(&owner, function, target, path, &Value::Null).await;
        (status.as_u16(), answer)
    };
    assert_eq!(get(&writer, "latest", "/write/data/note").await, (200, json!(17)));
    assert_eq!(get(&reader, "latest", "/read/data/note").await, (200, json!("written by writer")));
    let (status, answer) = get(&reader, "latest", "/write/data/note").await;
    assert_eq!(status, 418, "it reads only: {answer}");
    let (status, file) = owner.raw(Method::GET, &format!("{room}/content?path=note"), Vec::new()).await;
    assert_eq!((status, file.as_str()), (StatusCode::OK, "written by writer"));
    let (status, _) = owner.raw(Method::PUT, &format!("{room}/files?path=in/given"), b"from outside".to_vec()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(get(&writer, "latest", "/read/data/in/given").await, (200, json!("from outside")));

    // Links lead neither the owner's browser nor another function to what is not in the volume.
    for (link, target) in
        [("passwd", "/etc/passwd"), ("data", directory.path().join("stoa.db").to_str().unwrap()), ("up", "../..")]
    {
        assert_eq!(get(&writer, "latest", &format!("/link/data/{link}@{target}")).await.0, 200);
        let (status, body) = owner.raw(Method::GET, &format!("{room}/content?path={link}"), Vec::new()).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && body.contains("not_a_file"), "{link}: {body}");
        let (_, answer) = get(&reader, "latest", &format!("/read/data/{link}")).await;
        assert!(!answer.to_string().contains("SQLite") && !answer.to_string().contains("daemon"), "{link}: {answer}");
    }

    // A version takes its volumes along, and the call that fills one is told why it has no answer.
    publish(&owner, &writer).await;
    let (status, problem) = get(&writer, "live", "/flood/data/large").await;
    assert_eq!((status, problem["code"].as_str()), (507, Some("volume_full")), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("of 128 MiB"), "{problem}");
    let log = owner.get(&format!("{writer}/logs?search=is%20full")).await;
    assert!(
        log["lines"][0]["text"].as_str().unwrap().starts_with("stoa: it is ended, as its volume `room` is full"),
        "{log}"
    );
    let (status, problem) = get(&writer, "live", "/read/data/note").await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (507, Some("volume_full")),
        "nobody starts who would write: {problem}"
    );
    assert_eq!(get(&reader, "latest", "/read/data/note").await.0, 200, "whoever reads goes on");
    let full = owner.get(room).await;
    assert!(full["full"].is_string() && full["functions"] == json!(["reader", "writer"]), "{full}");
    let (status, body) = owner.raw(Method::DELETE, &format!("{room}/files?path=large"), Vec::new()).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    let begun = Instant::now();
    while get(&writer, "live", "/read/data/note").await.0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "there is room again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // A larger one is larger for what runs already.
    owner.send(Method::PATCH, room, Some(&json!({ "size_mib": 1_024 }))).await;
    assert_eq!(get(&writer, "live", "/fill/data/large").await, (200, json!("filled")));

    // Without its files it does not start, and says so.
    let instances = owner.get(&format!("{writer}/instances")).await;
    assert!(instances["items"].as_array().unwrap().len() > 1, "{instances}");
    let lies =
        std::fs::read_dir(&volumes).unwrap().map(|owner| owner.unwrap().path()).find(|owner| owner.is_dir()).unwrap();
    std::fs::rename(&lies, directory.path().join("away")).unwrap();
    let fresh = with_volume(&owner, "fresh", "room", true).await;
    let (status, problem) = get(&fresh, "latest", "/read/data/note").await;
    assert_eq!((status, problem["code"].as_str()), (502, Some("volume_missing")), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("`room`"), "{problem}");
    server.stop();
}

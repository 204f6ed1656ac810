//! Functions, from a template to a model that people chat with, in real sandboxes, and what becomes of them when the server
//! is killed.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Browser, Server};

/// A function of a template, by its id.
async fn made(owner: &Browser, name: &str, template: &str) -> String {
    let made = owner.post("/api/v1/functions", json!({ "name": name, "template": template })).await;
    format!("/api/v1/functions/{}", made["id"].as_str().unwrap())
}

/// Writes a file of it.
async fn write(owner: &Browser, function: &str, path: &str, text: &str) {
    let revision = owner.get(function).await["revision"].clone();
    let change = json!({ "revision": revision, "changes": [{ "path": path, "text": text }] });
    let (status, _, body) = owner.send(Method::PUT, &format!("{function}/code"), Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

async fn publish(owner: &Browser, function: &str) -> Value {
    owner.post(&format!("{function}/versions"), json!({})).await
}

async fn call(owner: &Browser, function: &str, target: &str, path: &str, body: &Value) -> (StatusCode, HeaderMap, Value) {
    let method = if body.is_null() { "GET" } else { "POST" };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let asked = json!({
        "target": target, "method": method, "path": path, "body": body,
        "headers": [["content-type", "application/json"]],
    });
    owner.send(Method::POST, &format!("{function}/try"), Some(&asked)).await
}

fn question(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }] })
}

fn said(answer: &Value) -> &str {
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
    let shares: Vec<_> = shares.map(|share| (share["version"].as_str().unwrap(), share["calls"].as_u64().unwrap())).collect();
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
async fn metrics(owner: &Browser, function: &str, calls: u64) -> Value {
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
    let (status, _, _) = owner.send(Method::PUT, &format!("{hook}/secrets/TOKEN"), Some(&json!({ "value": "s3cret" }))).await;
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
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_GATEWAY, Some("function_start_failed")), "{problem}");
    assert!(problem["log"].as_str().unwrap().contains("no way in here"), "{problem}");
    assert!(!headers.contains_key("x-stoa-version"));
    let log = owner.get(&format!("{broken}/logs?search=NO%20WAY")).await;
    assert!(log["lines"][0]["text"].as_str().unwrap().contains("no way in here"), "{log}");
    let (status, _, problem) = Browser::nobody(server.address).send(Method::GET, "/fn/broken/", None).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(!problem.to_string().contains("no way"), "what it wrote is its owner's to see");
    // A change of the settings that cannot be is told by its field.
    let wrong = json!({ "revision": 2, "settings": { "command": ["node", "index.mjs"], "cpu_millis": 51 } });
    let (status, _, problem) = owner.send(Method::PATCH, &broken, Some(&wrong)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("settings.cpu_millis")));
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
    let server = Server::start(&variables);
    let owner = Browser::sign_in(server.address).await;
    let agent = made(&owner, "agent", "python-agent").await;
    publish(&owner, &agent).await;
    for _ in 0..3 {
        let (status, _, answer) = call(&owner, &agent, "live", "/", &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let before = metrics(&owner, &agent, 3).await;
    assert_eq!((&before["totals"]["calls"], &before["totals"]["cold_starts"]), (&json!(3), &json!(1)), "{before}");
    server.kill();

    let server = Server::start(&variables);
    let owner = owner.at(server.address);
    let (status, headers, _) = call(&owner, &agent, "live", "/", &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers.contains_key("x-stoa-cold-start"), "the old instance is gone");
    let after = metrics(&owner, &agent, 4).await;
    assert_eq!(after["totals"]["calls"], 4, "nothing is lost and nothing counted twice: {after}");
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
    let timer = json!({ "cron": "* * * * *", "time_zone": "Asia/Shanghai", "alias": "live", "path": "/run", "enabled": true });
    let timer = owner.post(&format!("{job}/timers"), timer).await;
    assert!(timer["next_at"].is_i64() && timer["last"].is_null(), "{timer}");
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

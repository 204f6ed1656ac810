//! What functions may do and who may call them, in real sandboxes: models by a token of their own, callers by tokens of an
//! issuer, and logs that outlive the server.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use sea_orm::sqlx::{self, Connection as _, SqliteConnection};
use serde_json::{Value, json};

use crate::functions::{SOCKET, call, made, metrics, publish, question, said, write};
use crate::support::{Browser, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_the_models_it_is_allowed_with_a_token_of_its_own() {
    let mock = stoa_mock_openai::Mock::start().await.unwrap();
    let authority = mock.base_url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", data), ("STOA_EGRESS_ALLOW", &authority)]);
    let owner = Browser::sign_in(server.address).await;
    owner.add_mock(&mock.base_url(), "lorem-5").await;
    for template in ["python-model-agent", "node-model-agent"] {
        let agent = made(&owner, template, template).await;
        let ask = async || {
            let (_, _, answer) = call(&owner, &agent, "latest", "/v1/chat/completions", &question("hi")).await;
            said(&answer).to_owned()
        };
        let model = json!({ "value": "mock/lorem-5" });
        owner.send(Method::PUT, &format!("{agent}/secrets/MODEL"), Some(&model)).await;
        assert_eq!(ask().await.split_whitespace().count(), 5, "the template may call models");
        allow(&owner, &agent, &json!({ "only": ["mock/other"] })).await;
        assert!(ask().await.contains("(404)"), "although its instance had begun before");
        allow(&owner, &agent, &json!({ "only": ["mock/lorem-5"] })).await;
        assert_eq!(ask().await.split_whitespace().count(), 5);
        allow(&owner, &agent, &json!("off")).await;
        assert_eq!(ask().await, "I may not call models yet: allow it in the settings of this function.");
        // A key of somebody's own is good as well.
        let key = owner.post("/api/v1/api-keys", json!({ "name": "k", "scopes": ["infer"] })).await["key"].clone();
        allow(&owner, &agent, &json!("all")).await;
        owner.send(Method::PUT, &format!("{agent}/secrets/STOA_TOKEN"), Some(&json!({ "value": key }))).await;
        assert_eq!(ask().await.split_whitespace().count(), 5);
    }
    server.stop();
    let file = format!("sqlite://{}", directory.path().join("stoa.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let rows = sqlx::query_as::<_, (bool, bool, bool)>(
        "SELECT function_id IS NOT NULL, user_id IS NOT NULL, api_key_id IS NOT NULL FROM usage_entries",
    );
    let rows = rows.fetch_all(&mut database).await.unwrap();
    let of = |named: (bool, bool, bool)| rows.iter().filter(|row| **row == named).count();
    assert_eq!((of((true, true, false)), of((false, true, true))), (4, 2), "{rows:?}");
}

/// Says what it was asked for, and before that 64 MiB if it is asked for a flood.
const TALKS: &str = r#"
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/flood":
            line = "x" * 8191 + "\n"
            for _ in range(8192):
                sys.stdout.write(line)
        print("asked for", self.path, flush=True)
        body = self.headers["X-Request-Id"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"#;

fn texts(log: &Value) -> Vec<&str> {
    log["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_function_wrote_is_found_by_its_request_and_after_a_kill_and_a_flood_takes_its_room_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", data)]);
    let owner = Browser::sign_in(server.address).await;
    let talks = made(&owner, "talks", "python-agent").await;
    write(&owner, &talks, "app.py", TALKS).await;
    publish(&owner, &talks).await;
    owner.send(Method::PATCH, &talks, Some(&json!({ "http": { "access": "public", "alias": "live" } }))).await;
    let mut requests = Vec::new();
    for path in ["/fn/talks/one?secret=1", "/fn/talks/two"] {
        let (_, headers, told) = Browser::nobody(server.address).send(Method::GET, path, None).await;
        let request = headers["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(told, json!(request), "the function is told what the request is called");
        requests.push(request);
    }
    let of_first = owner.get(&format!("{talks}/logs?request={}", requests[0])).await;
    assert_eq!(texts(&of_first), ["asked for /one?secret=1", "GET /one"], "{of_first}");
    let call = &of_first["lines"][1];
    let told = (&call["stream"], &call["call"]["status"], &call["call"]["alias"], &call["version"]);
    assert_eq!(told, (&json!("call"), &json!(200), &json!("live"), &json!("1")));
    assert_eq!(call["instance"], of_first["lines"][0]["instance"]);
    assert_eq!(texts(&owner.get(&format!("{talks}/logs?request=none")).await), Vec::<&str>::new());
    let (status, ..) = owner.send(Method::GET, &format!("{talks}/logs?request="), None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    // What was looked at is on the disk, and the last moment is there soon.
    server.kill();
    let server = Server::start(&[("STOA_DATA_DIR", data)]);
    let owner = Browser::sign_in(server.address).await;
    let kept = owner.get(&format!("{talks}/logs?search=ASKED")).await;
    assert_eq!(texts(&kept), ["asked for /one?secret=1", "asked for /two"], "{kept}");
    let instance = kept["lines"][0]["instance"].as_str().unwrap();
    assert!(instance.contains('~'), "of another life: {instance}");
    let of_it = owner.get(&format!("{talks}/logs?instance={}", instance.replace('~', "%7E"))).await;
    assert_eq!(texts(&of_it).len(), 4, "{of_it}");

    let before = resident_mib(server.pid());
    let (status, ..) = Browser::nobody(server.address).send(Method::GET, "/fn/talks/flood", None).await;
    assert_eq!(status, StatusCode::OK);
    let begun = Instant::now();
    loop {
        let log = owner.get(&format!("{talks}/logs?search=flood")).await;
        if texts(&log).contains(&"asked for /flood") && texts(&log).contains(&"GET /flood") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the latest stays: {log}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = owner.get(&format!("{talks}/logs?search=xxxx&limit=2000")).await;
    assert!(all["lost"].as_u64().unwrap() > 0, "what was not kept is counted");
    let grown = resident_mib(server.pid()).saturating_sub(before);
    let logs = directory.path().join("functions/logs");
    let kept: u64 = walk(&logs).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(kept < 40 * 1024 * 1024 && grown < 120, "{kept} bytes on the disk, {grown} MiB in memory");
    assert_eq!(owner.send(Method::DELETE, &talks, None).await.0, StatusCode::NO_CONTENT);
    let begun = Instant::now();
    while !walk(&logs).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the log goes with its function");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop();
    assert!(walk(&logs).is_empty(), "whatever its instance still had to say");
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.into_iter().flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Ed25519, made for this test alone.
const ISSUER_KEY: &str = "ZdZfFd-r5AEXCRP2AqNmop_O4DTe1Mu-CLvj0ywTp1w";
/// From `https://id.test` for `stoa`, of a tester, until the year 2100.
const GOOD_TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJzdG9hIiwic3ViIjoiYW5uIiwicm9sZSI6WyJ0ZXN0ZXIiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.XAZ-nrj05W3IKg6VYT5zKT9d86_XP5MxN09hipzhu_GotTT9tUOrImbOmyEwcWEo5pqd-xJQrNWRSzquHsqoAg";
/// The same, until 2023.
const OLD_TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJzdG9hIiwic3ViIjoiYW5uIiwicm9sZSI6WyJ0ZXN0ZXIiXSwiZXhwIjoxNzAwMDAwMDAwfQ.j0TCOAB1ykXSw72_hQo4IDh1JcqN_-R_mZtZK3bB4TZIwJWC1njKrCG7pdbNdSf4SjBPvROCqjb3PdEpvevAAw";

/// Tells the headers of the request.
const HEADERS: &str = r#"
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_lets_in_whom_an_issuer_vouches_for_and_is_told_who_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let guarded = made(&owner, "guarded", "python-agent").await;
    write(&owner, &guarded, "app.py", HEADERS).await;
    publish(&owner, &guarded).await;
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": ISSUER_KEY }] });
    let rules = |claims: Value, keys: &Value| {
        let jwt = json!({ "issuer": "https://id.test", "audience": "stoa", "keys": keys, "claims": claims });
        json!({ "http": { "access": "jwt", "alias": "live", "jwt": jwt } })
    };
    for (bad, field) in [
        (json!({ "http": { "access": "jwt", "alias": "live" } }), "jwt"),
        (rules(json!({}), &json!({ "set": { "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] } })), "jwt.keys"),
    ] {
        let (status, _, problem) = owner.send(Method::PATCH, &guarded, Some(&bad)).await;
        let named = (status, problem["errors"][0]["field"].as_str());
        assert_eq!(named, (StatusCode::UNPROCESSABLE_ENTITY, Some(field)), "{problem}");
    }
    let set = json!({ "set": keys });
    owner.send(Method::PATCH, &guarded, Some(&rules(json!({ "role": "tester" }), &set))).await;
    let bearer = |token: &str| Browser::with_key(server.address, token);
    let (status, _, seen) = bearer(GOOD_TOKEN).send(Method::GET, "/fn/guarded/", None).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    assert_eq!(seen["x-stoa-claims"], GOOD_TOKEN.split('.').nth(1).unwrap());
    assert!(seen.get("authorization").is_none(), "{seen}");
    let forged = GOOD_TOKEN.replace(".eyJpc3", ".eyJpc4");
    for (token, code) in [(OLD_TOKEN, "token_not_taken"), (forged.as_str(), "token_not_taken"), ("", "unauthenticated")]
    {
        let (status, _, problem) = bearer(token).send(Method::GET, "/fn/guarded/", None).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::UNAUTHORIZED, Some(code)), "{problem}");
    }
    // What its owner tries says nothing of anybody.
    let asked = json!({
        "target": "live", "method": "GET", "path": "/",
        "headers": [["x-stoa-claims", "e30"], ["x_stoa_claims", "e30"], ["x-other", "stays"]],
    });
    let (_, _, seen) = owner.send(Method::POST, &format!("{guarded}/try"), Some(&asked)).await;
    assert_eq!((seen.get("x-stoa-claims"), seen.get("x_stoa_claims"), &seen["x-other"]), (None, None, &json!("stays")));
    owner.send(Method::PATCH, &guarded, Some(&rules(json!({ "role": "admin" }), &set))).await;
    let (status, _, problem) = bearer(GOOD_TOKEN).send(Method::GET, "/fn/guarded/", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "at once: {problem}");
    let nowhere = json!({ "url": "http://127.0.0.1:1/keys" });
    owner.send(Method::PATCH, &guarded, Some(&rules(json!({}), &nowhere))).await;
    let (status, _, problem) = bearer(GOOD_TOKEN).send(Method::GET, "/fn/guarded/", None).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("keys_unavailable")));
    server.stop();
}

async fn allow(owner: &Browser, function: &str, models: &Value) {
    let change = json!({ "models": models });
    let (status, _, body) = owner.send(Method::PATCH, function, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["models"], *models);
}

/// Says its token, or asks itself as a model.
const MIRROR: &str = r#"
import json, os, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def ask():
    body = json.dumps({"model": "mirror/mirror", "messages": [{"role": "user", "content": "again"}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return "1+" + json.load(answer)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        return json.load(error)["error"]["code"]
class Answer(BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/v1/models":
            return self.answer({"object": "list", "data": [{"id": "mirror", "object": "model"}]})
        self.answer({"token": os.environ["STOA_TOKEN"], "headers": [name.lower() for name in self.headers]})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = ask() if asked["messages"][-1]["content"] == "again" else "well"
        message = {"role": "assistant", "content": text}
        self.answer({"id": "1", "object": "chat.completion", "created": 1, "model": "mirror",
                     "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_calls_itself_comes_to_an_end_and_its_token_is_good_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let mirror = made(&owner, "mirror", "python-agent").await;
    write(&owner, &mirror, "app.py", MIRROR).await;
    allow(&owner, &mirror, &json!("all")).await;
    publish(&owner, &mirror).await;
    let model = owner.post(&format!("{mirror}/model"), json!({})).await;
    assert_eq!(model["model"], "mirror/mirror", "{model}");
    let begun = Instant::now();
    let (_, _, answer) = call(&owner, &mirror, "live", "/v1/chat/completions", &question("again")).await;
    // The first by its owner's hand, and seven of which each was called by the one before.
    assert_eq!(said(&answer), format!("{}function_call_depth", "1+".repeat(7)), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let (_, _, answer) = call(&owner, &mirror, "live", "/v1/chat/completions", &question("once")).await;
    assert_eq!(said(&answer), "well", "what is over does not count");

    let (_, _, answer) = call(&owner, &mirror, "live", "/", &Value::Null).await;
    let token = answer["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("stoafn_"), "{answer}");
    assert!(!answer["headers"].as_array().unwrap().iter().any(|name| name.as_str().unwrap().starts_with("x-stoa")));
    owner.send(Method::PATCH, &mirror, Some(&json!({ "http": { "access": "key", "alias": "live" } }))).await;
    let thief = Browser::with_key(server.address, &token);
    for path in ["/v1/models", "/api/v1/me", "/fn/mirror/"] {
        assert_eq!(thief.status(Method::GET, path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    server.stop();
}

/// Asks another function by its address within the server, as somebody who shows a bearer: for an answer, or, behind
/// `/socket`, for a WebSocket that sends back what comes.
const ASKS: &str = r#"
import json, os, socket, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def over_a_socket(path, bearer):
    there = socket.create_connection(("127.0.0.1", 3210))
    head = {"Host": "f", "Connection": "Upgrade", "Upgrade": "websocket", "Authorization": "Bearer " + bearer,
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    there.sendall("\r\n".join(lines).encode())
    answer = there.makefile("rb")
    status = int(answer.readline().split()[1])
    while answer.readline().strip():
        pass
    there.sendall(b"there and back")
    return status, answer.read(14).decode()
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        bearer = self.headers["X-Bearer"] or os.environ["STOA_TOKEN"]
        if self.path.startswith("/socket/"):
            return self.answer(*over_a_socket(self.path.removeprefix("/socket"), bearer))
        request = urllib.request.Request(os.environ["STOA_URL"] + self.path)
        if bearer != "none":
            request.add_header("Authorization", "Bearer " + bearer)
        try:
            with urllib.request.urlopen(request) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        self.answer(status, text)
    def answer(self, status, text):
        body = json.dumps({"status": status, "text": text}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_one_owner_call_one_another_within_the_server_where_that_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("STOA_DATA_DIR", directory.path().to_str().unwrap()), ("STOA_FUNCTIONS", "everyone")];
    let server = Server::start(&settings);
    let owner = Browser::sign_in(server.address).await;
    let (email, password) = ("bo@example.org", "a long enough password");
    owner.post("/api/v1/users", json!({ "name": "Bo", "email": email, "password": password, "role": "member" })).await;
    let member = Browser::sign_in_as(server.address, email, password).await;
    let way = json!([{ "name": "stoa", "host": "stoa.internal", "port": 80, "local_port": 3210 }]);
    let with_a_way = async |person: &Browser, name: &str, text: &str| {
        let function = made(person, name, "python-agent").await;
        write(person, &function, "app.py", text).await;
        let now = person.get(&function).await;
        let mut settings = now["settings"].clone();
        settings["bindings"] = way.clone();
        let change = json!({ "settings": settings, "revision": now["revision"] });
        let (status, _, body) = person.send(Method::PATCH, &function, Some(&change)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        publish(person, &function).await;
        function
    };
    let (asks, theirs) = (with_a_way(&owner, "asks", ASKS).await, with_a_way(&member, "theirs", ASKS).await);
    let told = made(&owner, "told", "python-agent").await;
    write(&owner, &told, "app.py", HEADERS).await;
    publish(&owner, &told).await;
    let open = async |access: &str, inside: bool| {
        let http = json!({ "http": { "access": access, "alias": "live", "inside": inside } });
        let (status, _, body) = owner.send(Method::PATCH, &told, Some(&http)).await;
        assert_eq!((status, &body["http"]["inside"]), (StatusCode::OK, &json!(inside)), "{body}");
    };
    let ask = async |person: &Browser, function: &str, path: &str, bearer: &str| {
        let asked = json!({ "target": "live", "method": "GET", "path": path, "headers": [["x-bearer", bearer]] });
        let (status, _, answer) = person.send(Method::POST, &format!("{function}/try"), Some(&asked)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        (answer["status"].as_u64().unwrap(), answer["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(ask(&owner, &asks, "/fn/told/", "").await.0, 404, "nothing is open by itself");
    open("off", true).await;
    let (status, seen) = ask(&owner, &asks, "/fn/told/x", "").await;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!((status, seen.get("authorization"), &seen["x-forwarded-prefix"]), (200, None, &json!("/fn/told")));
    assert_eq!(ask(&owner, &asks, "/fn/told/", "none").await.0, 404, "whoever shows nothing is nobody");
    assert_eq!(ask(&member, &theirs, "/fn/told/", "").await.0, 404, "another owner's");
    assert_eq!(Browser::nobody(server.address).send(Method::GET, "/fn/told/", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&owner, &asks, "/v1/models", "").await.0, 401, "the way is no right to models");

    // What is open to others is so within the server, and a function's token goes no further.
    open("public", false).await;
    for (person, function) in [(&owner, &asks), (&member, &theirs)] {
        let (status, seen) = ask(person, function, "/fn/told/", "").await;
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!((status, seen.get("authorization")), (200, None));
    }
    let token = format!("stoafn_{}", "A".repeat(43));
    let (_, _, seen) = Browser::with_key(server.address, &token).send(Method::GET, "/fn/told/", None).await;
    assert_eq!(seen.get("authorization"), None, "nor from outside");
    assert_eq!(ask(&owner, &asks, "/fn/told/", &token).await.0, 401);
    let (_, _, seen) = Browser::with_key(server.address, "own").send(Method::GET, "/fn/told/", None).await;
    assert_eq!(seen["authorization"], "Bearer own", "what is the function's own reaches it");

    let http = json!({ "http": { "access": "off", "alias": "live", "inside": true } });
    owner.send(Method::PATCH, &asks, Some(&http)).await;
    let echo = made(&owner, "echo", "node-agent").await;
    write(&owner, &echo, "index.mjs", SOCKET).await;
    publish(&owner, &echo).await;
    owner.send(Method::PATCH, &echo, Some(&http)).await;
    let passed = ask(&owner, &asks, "/socket/fn/echo/ws", "").await;
    assert_eq!(passed, (101, "there and back".to_owned()), "a WebSocket");
    let (status, problem) = deepest(ask(&owner, &asks, &"/fn/asks".repeat(9), "").await);
    assert_eq!((status, problem["code"].as_str()), (400, Some("function_call_depth")), "{problem}");
    let metrics = metrics(&owner, &told, 5).await;
    let mut callers: Vec<_> = metrics["by_caller"].as_array().unwrap().iter().map(|one| &one["who"]).collect();
    callers.sort_by_key(|who| who.as_str());
    assert_eq!(callers, ["nobody", "person"], "what was called by a function is on its owner's account: {metrics}");
    server.stop();
}

/// What the last of those said that asked one another.
fn deepest((status, text): (u64, String)) -> (u64, Value) {
    let said: Value = serde_json::from_str(&text).unwrap();
    match said["status"].as_u64() {
        Some(status) if said["text"].is_string() => deepest((status, said["text"].as_str().unwrap().to_owned())),
        _ => (status, said),
    }
}

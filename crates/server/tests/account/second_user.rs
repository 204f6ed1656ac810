//! Every operation of the OpenAPI document, asked by nobody and by somebody else: nothing of the owner's shows or changes.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;

use crate::support::{Browser, House, MEMBER, OWNER};

/// Open to everybody by design.
const OPEN: [(&str, &str); 5] = [
    ("get", "/api/v1/setup"),
    ("post", "/api/v1/setup"),
    ("post", "/api/v1/session"),
    ("delete", "/api/v1/session"),
    ("get", "/api/v1/openapi.json"),
];

/// About oneself or for everybody: a second user is answered with their own.
const OWN: [(&str, &str); 44] = [
    // Only administrators make functions: `functions.rs` has that.
    ("get", "/api/v1/functions"),
    ("get", "/api/v1/functions/engine"),
    // `function_accounts.rs` has what is on whose.
    ("get", "/api/v1/functions/account"),
    ("get", "/api/v1/function-volumes"),
    ("get", "/api/v1/function-templates"),
    ("get", "/api/v1/me"),
    ("patch", "/api/v1/me"),
    ("put", "/api/v1/me/password"),
    ("get", "/api/v1/sessions"),
    ("get", "/api/v1/api-keys"),
    ("post", "/api/v1/api-keys"),
    ("get", "/api/v1/models"),
    ("get", "/api/v1/usage"),
    ("get", "/api/v1/assistants"),
    ("post", "/api/v1/assistants"),
    ("get", "/api/v1/assistants/export"),
    ("get", "/api/v1/assistants/shared"),
    ("post", "/api/v1/assistants/details"),
    ("get", "/api/v1/assistant-folders"),
    ("post", "/api/v1/assistant-folders"),
    ("post", "/api/v1/assistants/import"),
    ("get", "/api/v1/conversations"),
    ("post", "/api/v1/conversations"),
    ("post", "/api/v1/files"),
    ("get", "/api/v1/search"),
    ("get", "/api/v1/export"),
    ("post", "/api/v1/import"),
    ("get", "/api/v1/shares"),
    ("get", "/api/v1/sharing"),
    // The link of this test is for members: it opens for the second user. `shares.rs` has those that do not.
    ("get", "/api/v1/shared/{token}"),
    ("get", "/api/v1/shared/{token}/messages"),
    ("get", "/api/v1/shared/{token}/files/{id}"),
    ("post", "/api/v1/shared/{token}/copy"),
    ("get", "/api/v1/projects"),
    ("post", "/api/v1/projects"),
    ("get", "/api/v1/prompts"),
    ("post", "/api/v1/prompts"),
    ("get", "/api/v1/tags"),
    ("get", "/api/v1/personal-providers"),
    ("post", "/api/v1/personal-providers"),
    ("get", "/api/v1/events"),
    ("get", "/api/v1/setup"),
    ("post", "/api/v1/session"),
    ("delete", "/api/v1/session"),
];

fn operations() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&stoa_server::openapi_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.filter(|key| *key != "parameters").map(move |method| (method.clone(), path.clone()))
    });
    let all: Vec<_> = all.collect();
    assert!(all.len() > 35, "the document lists {} operations only", all.len());
    all
}

fn is_one_of(list: &[(&str, &str)], method: &str, path: &str) -> bool {
    list.contains(&(method, path))
}

/// A body that the operation takes, so that a refusal is about the caller.
fn asked(method: &str, path: &str, things: &Things) -> Option<Value> {
    if matches!(method, "get" | "delete") {
        return None;
    }
    Some(match path {
        "/api/v1/conversations/{id}/messages" => {
            json!({"parts": [{"type": "text", "text": "hello"}], "model": "mock/lorem-5"})
        }
        "/api/v1/events/{stream}/subscriptions" => {
            json!({"subscribe": [things.by_path["/api/v1/generations/"]]})
        }
        "/api/v1/assistants" | "/api/v1/projects" | "/api/v1/projects/{id}" | "/api/v1/assistant-folders" => {
            json!({"name": "X"})
        }
        "/api/v1/assistant-folders/order" => json!({"ids": [things.by_path["/api/v1/assistant-folders/"]]}),
        "/api/v1/assistants/{id}/shares" => json!({"kind": "everyone"}),
        "/api/v1/prompts" | "/api/v1/prompts/{id}" => json!({"name": "X", "text": "x"}),
        "/api/v1/messages/{id}/threads" => json!({"with_context": true}),
        "/api/v1/messages/{id}/translation" if method == "put" => {
            json!({"language": "en", "model": "~mine/x", "text": "x"})
        }
        "/api/v1/messages/{id}/translation" => json!({"language": "en"}),
        "/api/v1/messages/{id}/translation/call" => json!({"language": "en", "model": "~mine/x"}),
        "/api/v1/function-volumes" => json!({"name": "x"}),
        "/api/v1/function-volumes/{name}" => json!({"size_mib": 64}),
        "/api/v1/functions" => json!({"name": "x", "template": "python-agent"}),
        "/api/v1/functions/{id}/code" => json!({"revision": 1, "changes": []}),
        "/api/v1/functions/{id}/aliases/{alias}" => json!({"version": 1}),
        "/api/v1/functions/{id}/secrets/{name}" => json!({"value": "x"}),
        "/api/v1/functions/{id}/try" => json!({"target": "latest", "method": "GET", "path": "/"}),
        "/api/v1/functions/{id}/timers" | "/api/v1/functions/{id}/timers/{timer}" => timer(),
        "/api/v1/conversations/{id}/title" => json!({"text": "x"}),
        "/api/v1/conversations/bulk" => {
            json!({"ids": [things.by_path["/api/v1/conversations/"]], "archived": true, "add_tags": ["x"]})
        }
        "/api/v1/conversations/{id}/shares" => json!({"audience": "members"}),
        "/api/v1/shares/{id}" => json!({"retake": true}),
        "/api/v1/sharing" => json!({"public_links": true}),
        "/api/v1/assistants/import" => json!({"format": "stoa.assistants", "version": 1, "assistants": []}),
        "/api/v1/assistants/order" => json!({"ids": [things.by_path["/api/v1/assistants/"]]}),
        "/api/v1/providers/{id}/models" | "/api/v1/personal-providers/{id}/models" => json!({"models": []}),
        "/api/v1/personal-providers" => json!({"name": "X", "slug": "x", "base_url": "http://127.0.0.1:9"}),
        "/api/v1/generations/{id}/deltas" => json!({"deltas": [], "end": {"reason": {"kind": "stopped"}}}),
        "/api/v1/providers" => json!({"name": "X", "slug": "x", "kind": "openai", "base_url": "https://x.test"}),
        "/api/v1/egress/allowances" => json!({"authority": "localhost:1"}),
        "/api/v1/users" => {
            json!({"name": "X", "email": "x@example.org", "password": "correct horse battery", "role": "member"})
        }
        "/api/v1/api-keys" => json!({"name": "k"}),
        "/api/v1/local-models/pulls" => json!({"name": "127.0.0.1:9/library/none:1b"}),
        _ => json!({}),
    })
}

fn timer() -> Value {
    json!({"cron": "0 7 * * *", "time_zone": "UTC", "alias": "live", "path": "/run", "enabled": true})
}

/// The owner's things, by the path that names them.
struct Things {
    by_path: BTreeMap<&'static str, String>,
    /// What opens the owner's link.
    token: String,
    /// A timer of the owner's function.
    timer: String,
    title: &'static str,
    _mock: MockServer,
}

impl Things {
    async fn make(owner: &mut Browser) -> Self {
        let mock = Mock::start().await.unwrap();
        let allowance = json!({"authority": mock.address().to_string()});
        let allowance = owner.post("/api/v1/egress/allowances", allowance).await.good(201).id();
        let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
        let provider = owner.post("/api/v1/providers", new).await.good(201).id();
        let models = json!({"models": [{"name": "lorem-5"}, {"name": "endless;rate=5"}]});
        owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
        let title = "Difference engine";
        let mine = json!({"name": title, "slug": "mine", "base_url": "http://127.0.0.1:9"});
        let personal = owner.post("/api/v1/personal-providers", mine).await.good(201).id();
        let assistant = owner.post("/api/v1/assistants", json!({"name": title})).await.good(201).id();
        let face = crate::files::picture(40, 30, image::ImageFormat::Png);
        let put = owner.request(Method::PUT, &format!("/api/v1/assistants/{assistant}/picture"));
        owner.exchange(put.body(face.into()).unwrap()).await.good(200);
        // Shared with those who are administrators alone: the second user is none.
        let shares = format!("/api/v1/assistants/{assistant}/shares");
        let assistant_share = owner.post(&shares, json!({"kind": "role", "role": "admin"})).await.good(201).id();
        let folder = owner.post("/api/v1/assistant-folders", json!({"name": title})).await.good(201).id();
        let project = owner.post("/api/v1/projects", json!({"name": title})).await.good(201).id();
        let prompt = json!({"name": title, "text": "x"});
        let prompt = owner.post("/api/v1/prompts", prompt).await.good(201).id();
        let new = json!({"title": title, "project_id": project});
        let conversation = owner.post("/api/v1/conversations", new).await.good(201).id();
        let tagged = json!({"tags": [title]});
        owner.send(Method::PATCH, &format!("/api/v1/conversations/{conversation}"), Some(tagged)).await.good(200);
        let picture = crate::files::picture(40, 30, image::ImageFormat::Png);
        let file = crate::files::send(owner, "engine.png", "image/png", picture).await.good(201).id();
        let parts = json!([{"type": "text", "text": "hello"}, {"type": "image", "file_id": file}]);
        let turn = json!({"parts": parts, "model": "mock/endless;rate=5"});
        let turn = owner.post(&format!("/api/v1/conversations/{conversation}/messages"), turn).await.good(202);
        let text = |name: &str| turn.body[name].as_str().unwrap().to_owned();
        let key = owner.post("/api/v1/api-keys", json!({"name": "k"})).await.good(201).id();
        let link = json!({"audience": "members"});
        let link = owner.post(&format!("/api/v1/conversations/{conversation}/shares"), link).await.good(201);
        let token = link.body["token"].as_str().unwrap().to_owned();
        let session = owner.get("/api/v1/sessions").await.body["items"][0]["id"].as_str().unwrap().to_owned();
        let me = owner.get("/api/v1/me").await.id();
        let pull = json!({"name": "127.0.0.1:9/library/tiny:1b"});
        let pull = owner.post("/api/v1/local-models/pulls", pull).await.good(202).id();
        let function = json!({"name": "engine", "title": title, "template": "python-agent"});
        let function = owner.post("/api/v1/functions", function).await.good(201).id();
        owner.post(&format!("/api/v1/functions/{function}/versions"), json!({})).await.good(201);
        owner.put(&format!("/api/v1/functions/{function}/secrets/TOKEN"), json!({"value": "x"})).await.good(204);
        let timer = owner.post(&format!("/api/v1/functions/{function}/timers"), timer()).await.good(201).id();
        owner.post("/api/v1/function-volumes", json!({"name": "room", "description": title})).await.good(201);
        let put = owner.request(Method::PUT, "/api/v1/function-volumes/room/files?path=a");
        owner.exchange(put.body("x".into()).unwrap()).await.good(204);
        let file_of_link = file.clone();
        let by_path = BTreeMap::from([
            ("/api/v1/assistants/", assistant),
            ("/api/v1/assistant-shares/", assistant_share),
            ("/api/v1/assistant-folders/", folder),
            ("/api/v1/projects/", project),
            ("/api/v1/prompts/", prompt),
            ("/api/v1/conversations/", conversation),
            ("/api/v1/files/", file),
            ("/api/v1/functions/", function),
            ("/api/v1/messages/", text("reply_id")),
            ("/api/v1/generations/", text("generation_id")),
            ("/api/v1/providers/", provider),
            ("/api/v1/personal-providers/", personal),
            ("/api/v1/egress/allowances/", allowance),
            ("/api/v1/api-keys/", key),
            ("/api/v1/sessions/", session),
            ("/api/v1/users/", me.clone()),
            ("/api/v1/function-accounts/", me),
            ("/api/v1/local-models/pulls/", pull),
            ("/api/v1/shares/", link.id()),
            ("/api/v1/shared/", file_of_link),
        ]);
        Self { by_path, token, timer, title, _mock: mock }
    }

    /// The path with the owner's thing in it.
    fn address(&self, path: &str, stream: &str) -> String {
        let filled = path.replace("{stream}", stream).replace("{token}", &self.token);
        let of = self.by_path.iter().find(|(prefix, _)| path.starts_with(**prefix));
        let filled = of.map_or(filled.clone(), |(_, id)| filled.replace("{id}", id));
        let filled = filled.replace("{timer}", &self.timer).replace("{alias}", "live");
        let name = [("/secrets/", "TOKEN"), ("/function-volumes/", "room"), ("", "tiny:1b")];
        let name = name.iter().find(|(part, _)| path.contains(part)).map_or("", |(_, name)| name);
        let filled = filled.replace("{name}", name);
        let filled = if path.contains("/function-volumes/") { filled + "?path=a" } else { filled };
        let filled = match path.rsplit_once("{id}/code/") {
            Some((_, "archive")) => filled + "?revision=1",
            Some((_, "file")) => filled + "?path=app.py",
            _ => filled,
        };
        let filled = if path.ends_with("{id}/export") { filled + "?format=json" } else { filled };
        assert!(!filled.contains('{'), "{path}: the test knows no thing of the owner's to put here");
        filled
    }
}

fn method(name: &str) -> Method {
    name.to_uppercase().parse().unwrap()
}

on_both_engines! {
    async fn nobody_gets_anything_nor_does_a_key_that_only_runs_models(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let things = Things::make(&mut owner).await;
        let key = owner.post("/api/v1/api-keys", json!({"name": "infer only"})).await.good(201);
        let mut program = house.program(key.body["key"].as_str().unwrap());
        for (name, path) in operations() {
            if is_one_of(&OPEN, &name, &path) {
                continue;
            }
            let address = things.address(&path, crate::support::NOBODYS_ID);
            let answer = house.browser().send(method(&name), &address, asked(&name, &path, &things)).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthenticated"), "{name} {path}");
            let answer = program.send(method(&name), &address, asked(&name, &path, &things)).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{name} {path}: {}", answer.text);
        }
    }

    async fn a_second_user_finds_nothing_of_the_first(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let things = Things::make(&mut owner).await;
        let (first, _stream) = owner.first_piece("/api/v1/events").await;
        let data = first.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
        let stream = serde_json::from_str::<Value>(data).unwrap()["id"].as_str().unwrap().to_owned();
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let before = state(&mut owner, &things).await;
        for (name, path) in operations() {
            if is_one_of(&OPEN, &name, &path) || is_one_of(&OWN, &name, &path) {
                continue;
            }
            let address = things.address(&path, &stream);
            let answer = member.send(method(&name), &address, asked(&name, &path, &things)).await;
            let refused = matches!((answer.status.as_u16(), answer.code()), (404, _) | (403, "forbidden"));
            assert!(refused, "{name} {path}: {} {}", answer.status, answer.text);
            // Whether a thing is there is told to admins alone, and so is that one may not: never by what is somebody's.
            let owned = [
                "assistants", "assistant-shares", "assistant-folders", "functions", "function-volumes", "projects", "prompts", "conversations", "files", "messages", "generations", "sessions", "api-keys", "events", "shares",
                "personal-providers",
            ];
            if owned.iter().any(|kind| path.starts_with(&format!("/api/v1/{kind}/"))) {
                assert_eq!(answer.status, 404, "{name} {path}: {}", answer.text);
            }
        }
        let usage = member.get("/api/v1/usage").await.good(200);
        assert_eq!(usage.body["days"], json!([]), "the calls of the first are none of the second's");
        member.get("/api/v1/usage?of=everybody").await.is(403, "forbidden");
        let within = format!("search?q=hello&conversation={}", things.by_path["/api/v1/conversations/"]);
        let lists = ["functions", "functions/account", "function-volumes", "personal-providers", "shares", "projects", "prompts", "tags", "sessions", "api-keys", "conversations", "assistants", "assistants/shared", "assistant-folders", "assistants/export", "export", "search?q=hello", &within];
        assert!(owner.get("/api/v1/search?q=hello").await.text.contains("hello"));
        for path in lists.into_iter().chain(["search?q=difference"]) {
            let list = member.get(&format!("/api/v1/{path}")).await.good(200);
            assert!(!list.text.contains(things.title), "{path}: {}", list.text);
            for id in things.by_path.values() {
                assert!(!list.text.contains(id.as_str()), "{path}: {}", list.text);
            }
        }
        assert_eq!(state(&mut owner, &things).await, before, "something of the owner's has changed");
        assert_eq!(owner.get("/api/v1/me").await.body["email"], OWNER);
        let generation = &things.by_path["/api/v1/generations/"];
        owner.delete(&format!("/api/v1/generations/{generation}")).await.good(204);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Everything of the owner's that another could have changed. The running answer grows by itself, so only its status is.
async fn state(owner: &mut Browser, things: &Things) -> Vec<String> {
    let conversation = &things.by_path["/api/v1/conversations/"];
    let mut state = Vec::new();
    for path in [
        "providers",
        "personal-providers",
        "egress/allowances",
        "conversations",
        "projects",
        "prompts",
        "tags",
        "functions",
        "function-volumes",
        "function-volumes/room/files",
        "assistants",
        "assistant-folders",
        "local-models",
        "shares",
        "sharing",
    ] {
        state.push(owner.get(&format!("/api/v1/{path}")).await.good(200).text);
    }
    for path in ["sessions", "api-keys", "users", "local-models/pulls"] {
        let list = owner.get(&format!("/api/v1/{path}")).await.good(200);
        let ids = list.body["items"].as_array().unwrap().iter().map(|item| item["id"].to_string());
        state.push(ids.collect::<Vec<_>>().join(","));
    }
    let function = &things.by_path["/api/v1/functions/"];
    for path in ["", "/versions", "/timers"] {
        state.push(owner.get(&format!("/api/v1/functions/{function}{path}")).await.good(200).text);
    }
    let file = owner.get(&format!("/api/v1/files/{}", things.by_path["/api/v1/files/"])).await.good(200);
    state.push(format!("{:?}", file.headers["etag"]));
    let messages = owner.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200);
    let items = messages.body["items"].as_array().unwrap().iter();
    state.push(items.map(|item| format!("{} {}", item["id"], item["status"])).collect::<Vec<_>>().join(","));
    state
}

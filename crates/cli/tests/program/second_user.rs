//! Every operation of the API document, as somebody else: a member, a key that may only run models, nobody at all. An
//! operation that is not in the table fails the test, so that none is forgotten.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stoa_mock_openai::Mock;

use crate::support::{Browser, EMAIL, PASSWORD, Server};

/// What a member gets who asks with the owner's ids.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// It is not there.
    NotFound,
    /// It is the administrators' business.
    Forbidden,
    /// The member's own, with nothing of the owner's in it.
    Own,
    /// Anybody may ask.
    Public,
}

use Answer::{Forbidden, NotFound, Own, Public};

/// The whole API: operation, a body that would be taken, and the answer.
fn table() -> Vec<(&'static str, Value, Answer)> {
    let turn = json!({ "parts": [{ "type": "text", "text": "mine now" }], "model": "mock/echo" });
    let provider =
        json!({ "name": "X", "slug": "x", "kind": "openai", "base_url": "http://x.invalid", "enabled": true });
    let user = json!({ "name": "X", "email": "x@example.com", "password": "long enough words", "role": "owner" });
    vec![
        ("GET /api/v1/api-keys", Value::Null, Own),
        ("POST /api/v1/api-keys", json!({ "name": "mine" }), Own),
        ("DELETE /api/v1/api-keys/{id}", Value::Null, NotFound),
        ("GET /api/v1/conversations", Value::Null, Own),
        ("POST /api/v1/conversations", json!({}), Own),
        ("GET /api/v1/conversations/{id}", Value::Null, NotFound),
        ("PATCH /api/v1/conversations/{id}", json!({ "title": "taken" }), NotFound),
        ("DELETE /api/v1/conversations/{id}", Value::Null, NotFound),
        ("GET /api/v1/conversations/{id}/messages", Value::Null, NotFound),
        ("POST /api/v1/conversations/{id}/messages", turn, NotFound),
        ("POST /api/v1/conversations/{id}/read", Value::Null, NotFound),
        ("POST /api/v1/conversations/{id}/restore", Value::Null, NotFound),
        ("GET /api/v1/egress/allowances", Value::Null, Forbidden),
        ("POST /api/v1/egress/allowances", json!({ "authority": "127.0.0.1:1" }), Forbidden),
        ("DELETE /api/v1/egress/allowances/{id}", Value::Null, Forbidden),
        ("GET /api/v1/events", Value::Null, Own),
        ("POST /api/v1/events/{stream}/subscriptions", json!({ "subscribe": ["GENERATION"] }), NotFound),
        ("DELETE /api/v1/generations/{id}", Value::Null, NotFound),
        ("GET /api/v1/generations/{id}/events", Value::Null, NotFound),
        ("GET /api/v1/me", Value::Null, Own),
        ("PATCH /api/v1/me", json!({ "name": "Member" }), Own),
        // With the owner's password, which is not the member's.
        (
            "PUT /api/v1/me/password",
            json!({ "current_password": PASSWORD, "new_password": "another long password" }),
            Own,
        ),
        ("POST /api/v1/messages/{id}/continue", json!({}), NotFound),
        ("POST /api/v1/messages/{id}/regenerate", json!({}), NotFound),
        ("GET /api/v1/models", Value::Null, Own),
        ("GET /api/v1/providers", Value::Null, Forbidden),
        ("POST /api/v1/providers", provider, Forbidden),
        ("GET /api/v1/providers/{id}", Value::Null, Forbidden),
        ("PATCH /api/v1/providers/{id}", json!({ "name": "taken" }), Forbidden),
        ("DELETE /api/v1/providers/{id}", Value::Null, Forbidden),
        ("POST /api/v1/providers/{id}/check", json!({}), Forbidden),
        ("PUT /api/v1/providers/{id}/models", json!({ "models": [] }), Forbidden),
        ("POST /api/v1/providers/{id}/models/fetch", Value::Null, Forbidden),
        ("POST /api/v1/session", json!({ "email": EMAIL, "password": "not the password" }), Public),
        // Signing out is done when nobody is signed in.
        ("DELETE /api/v1/session", Value::Null, Public),
        ("GET /api/v1/sessions", Value::Null, Own),
        ("DELETE /api/v1/sessions/{id}", Value::Null, NotFound),
        ("GET /api/v1/setup", Value::Null, Public),
        (
            "POST /api/v1/setup",
            json!({ "name": "X", "email": "x@example.com", "password": "long enough words" }),
            Public,
        ),
        ("GET /api/v1/users", Value::Null, Forbidden),
        ("POST /api/v1/users", user, Forbidden),
        ("PATCH /api/v1/users/{id}", json!({ "role": "member" }), Forbidden),
    ]
}

/// What the owner has, by the place in a path where it stands.
struct Owned {
    ids: Vec<(&'static str, String)>,
    generation: String,
}

impl Owned {
    fn fill(&self, path: &str) -> String {
        let filled = self.ids.iter().find(|(prefix, _)| path.starts_with(prefix));
        let id = filled.map(|(_, id)| id.as_str()).unwrap_or_default();
        path.replace("{id}", id).replace("{stream}", id)
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

async fn furnish(owner: &Browser, mock: &str) -> Owned {
    owner.add_mock(mock, "echo").await;
    let provider = id(&owner.get("/api/v1/providers").await["items"][0]);
    let turn = owner.begin("echo").await;
    let text = |name: &str| turn[name].as_str().unwrap().to_owned();
    owner.settled(&turn, std::time::Duration::from_secs(20)).await;
    let allowance = id(&owner.post("/api/v1/egress/allowances", json!({ "authority": "127.0.0.1:9" })).await);
    let key = id(&owner.post("/api/v1/api-keys", json!({ "name": "owner's" })).await);
    let session = id(&owner.get("/api/v1/sessions").await["items"][0]);
    let me = id(&owner.get("/api/v1/me").await);
    let ids = vec![
        ("/api/v1/conversations/", text("conversation_id")),
        ("/api/v1/messages/", text("reply_id")),
        ("/api/v1/generations/", text("generation_id")),
        ("/api/v1/events/", text("generation_id")),
        ("/api/v1/egress/", allowance),
        ("/api/v1/api-keys/", key),
        ("/api/v1/sessions/", session),
        ("/api/v1/providers/", provider),
        ("/api/v1/users/", me),
    ];
    Owned { generation: text("generation_id"), ids }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_or_changes_what_is_anothers() {
    let mock = Mock::start().await.unwrap();
    let authority = mock.base_url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", data), ("STOA_EGRESS_ALLOW", &authority)]);
    let owner = Browser::sign_in(server.address).await;
    let theirs = furnish(&owner, &mock.base_url()).await;
    let new =
        json!({ "name": "Member", "email": "m@example.com", "password": "a member's password", "role": "member" });
    owner.post("/api/v1/users", new).await;
    let member = Browser::sign_in_as(server.address, "m@example.com", "a member's password").await;
    let key = member.post("/api/v1/api-keys", json!({ "name": "infer only" })).await;
    let by_key = Browser::with_key(server.address, key["key"].as_str().unwrap());
    let nobody = Browser::nobody(server.address);

    let document = owner.get("/api/v1/openapi.json").await;
    let mut documented: Vec<String> = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        documented
            .extend(operations.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut table = table();
    let listed: Vec<&str> = table.iter().map(|(operation, ..)| *operation).collect();
    for operation in &documented {
        assert!(listed.contains(&operation.as_str()), "{operation} has no line in this test");
    }
    assert_eq!(documented.len(), listed.len(), "the table names operations that are not there");

    // Signing out ends the walk.
    table.sort_by_key(|(operation, ..)| *operation == "DELETE /api/v1/session");
    for (operation, body, answer) in table {
        let (method, path) = operation.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let path = theirs.fill(path);
        let body = body.to_string().replace("GENERATION", &theirs.generation);
        let body: Value = serde_json::from_str(&body).unwrap();
        let body = (!body.is_null()).then_some(body);
        for (who, caller, allowed) in [("nobody", &nobody, Public), ("an infer-only key", &by_key, Public)] {
            let (status, text) = caller.status(method.clone(), &path, body.as_ref()).await;
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            assert!(refused || answer == allowed, "{who} at {operation}: {status} {text}");
        }
        let (status, text) = member.status(method, &path, body.as_ref()).await;
        let right = match answer {
            NotFound => status == StatusCode::NOT_FOUND,
            Forbidden => status == StatusCode::FORBIDDEN,
            Own | Public => !status.is_server_error(),
        };
        assert!(right, "a member at {operation} ({path}): {status} {text}");
        for (place, id) in &theirs.ids {
            assert!(
                !text.contains(id) || path.contains(id),
                "{operation} shows the owner's {place}{id} to a member: {text}"
            );
        }
    }

    // And nothing of the owner's has changed.
    for (place, id) in &theirs.ids {
        match *place {
            "/api/v1/conversations/" => {
                let conversation = owner.get(&format!("{place}{id}")).await;
                assert_eq!(conversation["title"], "count");
                let messages = owner.get(&format!("{place}{id}/messages")).await;
                assert_eq!(messages["items"].as_array().unwrap().len(), 2);
            }
            "/api/v1/providers/" => assert_eq!(owner.get(&format!("{place}{id}")).await["name"], "Mock"),
            "/api/v1/egress/" => assert!(owner.get("/api/v1/egress/allowances").await.to_string().contains(id)),
            "/api/v1/api-keys/" => assert!(owner.get("/api/v1/api-keys").await.to_string().contains(id)),
            "/api/v1/users/" => assert_eq!(owner.get("/api/v1/me").await["role"], "owner"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_problem() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let conversation = id(&owner.post("/api/v1/conversations", json!({})).await);
    let messages = format!("/api/v1/conversations/{conversation}/messages");
    let turn = |text: &str| json!({ "parts": [{ "type": "text", "text": text }], "model": "local/none" }).to_string();
    let good = turn("hello");
    let with = |more: Value| {
        let mut body: Value = serde_json::from_str(&good).unwrap();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string().into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("malformed JSON", b"{\"parts\": [".to_vec(), 400, "malformed_json"),
        ("no JSON at all", b"hello".to_vec(), 400, "malformed_json"),
        ("invalid UTF-8", [&good.as_bytes()[..35], &[0xff, 0xfe][..], &good.as_bytes()[35..]].concat(), 400, ""),
        ("an unknown field", with(json!({ "is_admin": true })), 400, "invalid_request"),
        ("an unknown part", with(json!({ "parts": [{ "type": "exec", "text": "x" }] })), 400, "invalid_request"),
        ("no parts", with(json!({ "parts": [] })), 422, "invalid_fields"),
        ("blank text", with(json!({ "parts": [{ "type": "text", "text": "  " }] })), 422, "invalid_fields"),
        ("an absurd temperature", with(json!({ "parameters": { "temperature": 1e9 } })), 422, "invalid_fields"),
        ("a negative maximum", with(json!({ "parameters": { "max_tokens": -1 } })), 400, "invalid_request"),
        ("an unknown parameter", with(json!({ "parameters": { "n_discard": -5 } })), 400, "invalid_request"),
        ("a model of no shape", with(json!({ "model": "../../etc/passwd\n" })), 422, "invalid_fields"),
        ("a parent of no shape", with(json!({ "parent_id": "0" })), 400, "invalid_request"),
        ("a prompt of 10 MiB", turn(&"x".repeat(10 << 20)).into_bytes(), 413, "too_large"),
        ("a prompt of 3 MiB", turn(&"x".repeat(3 << 20)).into_bytes(), 413, "too_large"),
    ];
    for (case, body, status, code) in cases {
        let (got, problem) = owner.raw(Method::POST, &messages, body).await;
        assert_eq!(got.as_u16(), status, "{case}: {problem}");
        assert!(problem.contains(code), "{case}: {problem}");
        assert!(problem.contains("\"request_id\""), "{case}: {problem}");
    }
    assert!(owner.get(&messages).await["items"].as_array().unwrap().is_empty());

    // A page of another site, and a session that is over.
    let (status, problem) = owner.cross_site(Method::POST, "/api/v1/conversations").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    assert!(problem.contains("cross_site"), "{problem}");
    let (status, ..) = owner.send(Method::DELETE, "/api/v1/session", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = owner.status(Method::GET, "/api/v1/me", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
}

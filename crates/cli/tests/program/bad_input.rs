//! What no client should send gets a clear problem, and changes nothing.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Browser, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_problem() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[("STOA_DATA_DIR", directory.path().to_str().unwrap())]);
    let owner = Browser::sign_in(server.address).await;
    let conversation = owner.post("/api/v1/conversations", json!({})).await;
    let messages = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
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

//! Bad bodies: each is refused with a clear problem, and nothing changes.

use axum::body::Body;
use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::json;
use stoa_storage::Engine;
use stoa_storage::testing::TestDatabase;

use crate::support::{Answer, Browser, House, OWNER, PASSWORD};

async fn raw(browser: &mut Browser, path: &str, kind: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut request = browser.request(Method::POST, path);
    if let Some(kind) = kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    browser.exchange(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn what_is_no_json_of_ours_is_refused() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let json_kind = Some("application/json; charset=utf-8");
    for path in ["/api/v1/session", "/api/v1/setup", "/api/v1/users", "/api/v1/api-keys", "/api/v1/providers"] {
        for body in ["", "{", "nonsense", "{\"", "\u{feff}{}"] {
            raw(&mut owner, path, json_kind, body).await.is(400, "malformed_json");
        }
        for body in ["null", "[]", "7", "{}", "{\"surprise\":1}", "{\"name\":7}", "{\"name\":null}"] {
            raw(&mut owner, path, json_kind, body).await.is(400, "invalid_request");
        }
        raw(&mut owner, path, json_kind, &b"{\"\xff\xfe\":1}"[..]).await.is(400, "malformed_json");
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")] {
            raw(&mut owner, path, kind, "{}").await.is(415, "not_json");
        }
        for deep in ["[".repeat(100_000), "{\"name\":".repeat(20_000)] {
            raw(&mut owner, path, json_kind, deep).await.is(400, "invalid_request");
        }
        let in_order = json!(["Ada", OWNER, PASSWORD, "owner", null]).to_string();
        raw(&mut owner, path, json_kind, in_order).await.is(400, "invalid_request");
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(300_000));
        raw(&mut owner, path, json_kind, large).await.is(413, "too_large");
    }
}

#[tokio::test]
async fn a_field_given_twice_or_one_of_anothers_is_refused() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let twice = format!("{{\"email\":\"{OWNER}\",\"email\":\"x@example.org\",\"password\":\"{PASSWORD}\"}}");
    raw(&mut owner, "/api/v1/session", Some("application/json"), twice).await.is(400, "invalid_request");
    let admin = json!({"email": OWNER, "password": PASSWORD, "role": "owner"});
    owner.post("/api/v1/session", admin).await.is(400, "invalid_request");
    let epoch = json!({"name": "X", "email": "x@example.org", "password": PASSWORD, "role": "member", "epoch": 7});
    owner.post("/api/v1/users", epoch).await.is(400, "invalid_request");
    // JSON is read with its case: no second spelling of a field slips by.
    let case = json!({"Name": "X", "email": "x@example.org", "password": PASSWORD, "role": "member"});
    owner.post("/api/v1/users", case).await.is(400, "invalid_request");
}

#[tokio::test]
async fn a_body_is_cut_where_it_is_too_large_although_it_does_not_say_so() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let pieces = (0..1_000).map(|_| Ok::<_, std::io::Error>("x".repeat(1_024)));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    raw(&mut owner, "/api/v1/users", Some("application/json"), body).await.is(413, "too_large");
}

#[tokio::test]
async fn an_unknown_place_or_method_is_a_problem_too() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    owner.get("/api/v1/nowhere").await.is(404, "not_found");
    owner.put("/api/v1/session", json!({})).await.is(405, "method_not_allowed");
}

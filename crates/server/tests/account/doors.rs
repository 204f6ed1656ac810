//! Other sites' pages, and nobody at all.

use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, HOST};
use http::{Method, Request};
use serde_json::json;
use stoa_storage::Engine;
use stoa_storage::testing::TestDatabase;

use crate::support::{House, OWNER, PASSWORD};

#[tokio::test]
async fn another_site_cannot_make_a_browser_write() {
    let (house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let new = json!({"name": "Evil", "email": "evil@example.org", "password": PASSWORD, "role": "owner"});
    for origin in [
        "http://evil.example",
        "null",
        "http://stoa.test.evil.example",
        "http://evil.stoa.test",
        "http://stoa.test:8080",
        "http://stoa.test@evil.example",
        "file://stoa.test",
        "",
    ] {
        owner.origin = Some(origin.to_owned());
        owner.post("/api/v1/users", new.clone()).await.is(403, "cross_site");
        owner.post("/api/v1/session", json!({"email": OWNER, "password": PASSWORD})).await.is(403, "cross_site");
        owner.delete("/api/v1/session").await.is(403, "cross_site");
    }
    owner.origin = None;
    owner.post("/api/v1/users", new.clone()).await.is(403, "cross_site");
    for (site, allowed) in [("cross-site", false), ("same-site", false), ("none", false), ("same-origin", true)] {
        let request = owner
            .request(Method::PATCH, "/api/v1/me")
            .header("sec-fetch-site", site)
            .header(CONTENT_TYPE, "application/json");
        let answer = owner.exchange(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status == 200, allowed, "{site}: {}", answer.text);
    }
    owner.origin = Some("http://stoa.test".to_owned());
    let users = owner.get("/api/v1/users").await.good(200);
    assert_eq!(users.body["items"].as_array().unwrap().len(), 1);
    // A key does not make a cross-site request with a cookie any better.
    let made = owner.post("/api/v1/api-keys", json!({"name": "k", "scopes": ["account"]})).await.good(201);
    let key = made.body["key"].as_str().unwrap();
    let mut mixed = house.program(key);
    mixed.cookie.clone_from(&owner.cookie);
    mixed.patch("/api/v1/me", json!({})).await.is(403, "cross_site");
    house.program(key).patch("/api/v1/me", json!({})).await.good(200);
}

#[tokio::test]
async fn nonsense_at_the_door_is_nobody_and_never_somebody() {
    let (house, owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let cookie = owner.cookie.clone().unwrap();
    for key in ["", "x", "stoa_", &cookie, "Bearer", &"A".repeat(20_000)] {
        // Whoever presents a wrong key is not let in by a cookie beside it.
        let mut both = owner.clone();
        both.key = Some(key.to_owned());
        both.get("/api/v1/me").await.is(401, "unauthenticated");
    }
    for authorization in ["Basic YTpi", "bearer", "Negotiate x"] {
        let request = owner.request(Method::GET, "/api/v1/me").header("authorization", authorization);
        owner.clone().exchange(request.body(Body::empty()).unwrap()).await.is(401, "unauthenticated");
    }
    for text in ["stoa_session=", "stoa_session=x", "stoa_session", "=;=;", "other=1"] {
        let request = Request::get("/api/v1/me").header(HOST, "stoa.test").header(COOKIE, text);
        house.browser().exchange(request.body(Body::empty()).unwrap()).await.is(401, "unauthenticated");
    }
}

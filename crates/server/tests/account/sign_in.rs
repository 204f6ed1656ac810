//! Set-up, sign-in and sign-out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use stoa_server::{AppOptions, TrustedProxies};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, on_both_engines};

use crate::support::{House, OWNER, PASSWORD, setup};

const DAY: Duration = Duration::from_hours(24);

on_both_engines! {
    async fn set_up_makes_the_owner_once(test: TestDatabase) {
        let house = House::empty(test).await;
        let mut browser = house.browser();
        assert_eq!(browser.get("/api/v1/setup").await.body, json!({"needed": true, "token_required": true}));
        browser.get("/api/v1/me").await.is(401, "unauthenticated");

        let answer = browser.post("/api/v1/setup", house.setup()).await.good(201);
        assert_eq!((&answer.body["email"], &answer.body["role"]), (&json!(OWNER), &json!("owner")));
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"), "{cookie}");

        let me = browser.get("/api/v1/me").await.good(200);
        assert_eq!(me.body, answer.body);
        assert_eq!(me.body["created_at"], "2026-01-01T00:00:00Z");
        assert!(me.headers.contains_key(SET_COOKIE), "the cookie lasts as the session does");
        assert_eq!(browser.get("/api/v1/setup").await.body, json!({"needed": false, "token_required": false}));
        house.browser().post("/api/v1/setup", setup()).await.is(409, "already_set_up");
    }

    async fn a_session_ends_when_it_is_not_used(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        house.clock.forward(29 * DAY);
        owner.get("/api/v1/me").await.good(200);
        house.clock.forward(31 * DAY);
        let answer = owner.get("/api/v1/me").await;
        answer.is(401, "unauthenticated");
        assert!(answer.body["hint"].is_string());
    }

    async fn sign_out_ends_the_session_and_takes_the_cookie(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let stolen = owner.cookie.clone();
        let answer = owner.delete("/api/v1/session").await.good(204);
        assert!(answer.headers[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(owner.cookie, None);
        owner.cookie = stolen;
        owner.get("/api/v1/me").await.is(401, "unauthenticated");
        owner.delete("/api/v1/session").await.good(204);
        house.browser().delete("/api/v1/session").await.good(204);
    }

    async fn guessing_is_answered_with_when_to_come_back(test: TestDatabase) {
        let (house, _) = House::with_owner(test).await;
        let mut browser = house.browser();
        let wrong = json!({"email": OWNER, "password": "not the password"});
        let unknown = json!({"email": "nobody@example.org", "password": "not the password"});
        let one = browser.post("/api/v1/session", wrong.clone()).await;
        let other = browser.post("/api/v1/session", unknown).await;
        one.is(401, "wrong_credentials");
        other.is(401, "wrong_credentials");
        assert_eq!(one.body["detail"], other.body["detail"]);
        for _ in 0..9 {
            browser.post("/api/v1/session", wrong.clone()).await.is(401, "wrong_credentials");
        }
        let refused = browser.post("/api/v1/session", json!({"email": OWNER, "password": PASSWORD})).await;
        refused.is(429, "too_many_attempts");
        assert_eq!(refused.headers[RETRY_AFTER], "30");
        browser.address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
        browser.post("/api/v1/session", json!({"email": OWNER, "password": PASSWORD})).await.good(200);
    }
}

#[tokio::test]
async fn where_a_token_is_asked_for_the_page_says_so() {
    let options = AppOptions { secure_cookies: true, ..AppOptions::default() };
    let house = House::open(TestDatabase::open(Engine::Sqlite).await, options).await;
    let mut browser = house.browser();
    assert_eq!(browser.get("/api/v1/setup").await.body["token_required"], true);
    browser.post("/api/v1/setup", setup()).await.is(403, "wrong_setup_token");
    let answer = browser.post("/api/v1/setup", house.setup()).await.good(201);
    assert!(answer.headers[SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
}

/// Asks what set-up needs, as a request from loopback with these headers.
async fn token_required(house: &House, headers: &[(HeaderName, &'static str)]) -> bool {
    let mut browser = house.browser();
    browser.address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut request = browser.request(Method::GET, "/api/v1/setup").body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    browser.exchange(request).await.body["token_required"].as_bool().unwrap()
}

#[tokio::test]
async fn only_who_sits_at_the_machine_sets_up_without_a_token() {
    let options = AppOptions { loopback_only: true, ..AppOptions::default() };
    let house = House::open(TestDatabase::open(Engine::Sqlite).await, options).await;
    assert!(!token_required(&house, &[(HOST, "localhost:3210")]).await);
    assert!(!token_required(&house, &[(HOST, "[::1]:3210")]).await);
    // A page whose name was pointed at this machine, and proxies of several habits.
    assert!(token_required(&house, &[(HOST, "evil.example:3210")]).await);
    for mark in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via"] {
        assert!(token_required(&house, &[(HOST, "localhost"), (HeaderName::from_static(mark), "x")]).await, "{mark}");
    }
    let open = House::empty(TestDatabase::open(Engine::Sqlite).await).await;
    assert!(token_required(&open, &[(HOST, "localhost:3210")]).await);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    let options = AppOptions { trusted_proxies, ..AppOptions::default() };
    let house = House::open(TestDatabase::open(Engine::Sqlite).await, options).await;
    house.browser().post("/api/v1/setup", house.setup()).await.good(201);
    let attempt = async |client: &'static str| {
        let mut browser = house.browser();
        browser.address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let body = Body::from(json!({ "email": OWNER, "password": "wrong password" }).to_string());
        let request = browser.request(Method::POST, "/api/v1/session").header(CONTENT_TYPE, "application/json");
        let request = request.header("x-forwarded-for", client).body(body).unwrap();
        browser.exchange(request).await.status
    };
    for _ in 0..10 {
        assert_eq!(attempt("192.0.2.7").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(attempt("192.0.2.7").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt("203.0.113.5, 192.0.2.7").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt("192.0.2.8").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_wrong_field_of_the_form_is_named() {
    let house = House::empty(TestDatabase::open(Engine::Sqlite).await).await;
    let mut body = house.setup();
    body.as_object_mut()
        .unwrap()
        .extend(json!({"name": " ", "email": "ada", "password": "short"}).as_object().unwrap().clone());
    let answer = house.browser().post("/api/v1/setup", body).await;
    answer.is(422, "invalid_fields");
    assert_eq!(answer.fields(), ["name", "password", "email"]);
}

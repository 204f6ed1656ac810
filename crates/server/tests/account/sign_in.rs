//! Set-up, sign-in and sign-out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::header::{CACHE_CONTROL, RETRY_AFTER, SET_COOKIE};
use serde_json::json;
use stoa_identity::SetupToken;
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, on_both_engines};

use crate::support::{House, OWNER, PASSWORD, setup};

const DAY: Duration = Duration::from_hours(24);

on_both_engines! {
    async fn set_up_makes_the_owner_once(test: TestDatabase) {
        let house = House::empty(test).await;
        let mut browser = house.browser();
        assert_eq!(browser.get("/api/v1/setup").await.body, json!({"needed": true, "token_required": false}));
        browser.get("/api/v1/me").await.is(401, "unauthenticated");

        let answer = browser.post("/api/v1/setup", setup()).await.good(201);
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
    let test = TestDatabase::open(Engine::Sqlite).await;
    let token = SetupToken::derive(&test.key);
    let house = House::open(test, Some(token.clone()), true).await;
    let mut browser = house.browser();
    assert_eq!(browser.get("/api/v1/setup").await.body["token_required"], true);
    browser.post("/api/v1/setup", setup()).await.is(403, "wrong_setup_token");
    let mut body = setup();
    body["token"] = json!(token.expose());
    let answer = browser.post("/api/v1/setup", body).await.good(201);
    assert!(answer.headers[SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn every_wrong_field_of_the_form_is_named() {
    let house = House::empty(TestDatabase::open(Engine::Sqlite).await).await;
    let body = json!({"name": " ", "email": "ada", "password": "short"});
    let answer = house.browser().post("/api/v1/setup", body).await;
    answer.is(422, "invalid_fields");
    assert_eq!(answer.fields(), ["name", "password", "email"]);
}

//! One's own profile, password and sessions.

use std::time::Duration;

use serde_json::json;
use stoa_storage::on_both_engines;

use crate::support::{House, MEMBER, OWNER, PASSWORD, next_piece};

on_both_engines! {
    async fn a_name_can_be_changed(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let answer = owner.patch("/api/v1/me", json!({"name": "  Countess "})).await.good(200);
        assert_eq!(answer.body["name"], "Countess");
        assert_eq!(owner.patch("/api/v1/me", json!({})).await.good(200).body["name"], "Countess");
        let refused = owner.patch("/api/v1/me", json!({"name": "x".repeat(101)})).await;
        refused.is(422, "invalid_fields");
        owner.patch("/api/v1/me", json!({"role": "owner"})).await.is(400, "invalid_request");
        owner.patch("/api/v1/me", json!({"email": "x@example.org"})).await.is(400, "invalid_request");
    }

    async fn a_new_password_ends_the_other_sessions(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let mut other = house.signed_in(OWNER).await;
        let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        let path = "/api/v1/me/password";
        let wrong = owner.put(path, change("not the password", "another phrase")).await;
        wrong.is(422, "invalid_fields");
        assert_eq!(wrong.fields(), ["current_password"]);
        let weak = owner.put(path, change(PASSWORD, "password123")).await;
        assert_eq!(weak.fields(), ["new_password"]);
        other.get("/api/v1/me").await.good(200);
        owner.put(path, change(PASSWORD, "another phrase")).await.good(204);
        owner.get("/api/v1/me").await.good(200);
        other.get("/api/v1/me").await.is(401, "unauthenticated");
        let old = json!({"email": OWNER, "password": PASSWORD});
        house.browser().post("/api/v1/session", old).await.is(401, "wrong_credentials");
        let new = json!({"email": OWNER, "password": "another phrase"});
        house.browser().post("/api/v1/session", new).await.good(200);
    }

    async fn a_write_is_brought_to_its_end_although_the_client_leaves(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let mut other = house.signed_in(OWNER).await;
        let change = json!({"current_password": PASSWORD, "new_password": "another phrase"});
        let mut leaving = owner.clone();
        // The body has been read and the hashing begun when the connection is lost.
        let write = leaving.put("/api/v1/me/password", change);
        assert!(tokio::time::timeout(Duration::from_millis(2), write).await.is_err());
        let ended = async {
            while other.get("/api/v1/me").await.status != 401 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
        owner.get("/api/v1/me").await.good(200);
        let new = json!({"email": OWNER, "password": "another phrase"});
        house.browser().post("/api/v1/session", new).await.good(200);
    }

    async fn sessions_are_listed_and_ended_one_by_one_by_their_owner_alone(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let mut other = house.signed_in(OWNER).await;
        let (_, mut stream) = other.first_piece("/api/v1/events").await;

        let list = owner.get("/api/v1/sessions").await.good(200);
        let items = list.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        let ended = items.iter().find(|item| item["current"] == false).unwrap();
        assert_eq!((&ended["user_agent"], &ended["address"]), (&json!("Test/1"), &json!("192.0.2.1")));
        let path = format!("/api/v1/sessions/{}", ended["id"].as_str().unwrap());

        member.delete(&path).await.is(404, "not_found");
        other.get("/api/v1/me").await.good(200);
        owner.delete(&path).await.good(204);
        other.get("/api/v1/me").await.is(401, "unauthenticated");
        let mut last = String::new();
        while let Some(piece) = next_piece(&mut stream).await {
            last = piece;
        }
        assert!(last.contains("signed_out"), "the open stream is told and closed: {last}");
        owner.delete(&path).await.is(404, "not_found");
        owner.delete("/api/v1/sessions/not-an-id").await.is(404, "not_found");
        owner.get("/api/v1/me").await.good(200);
    }
}

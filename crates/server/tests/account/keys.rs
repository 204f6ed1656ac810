//! API keys: shown once, and never able to do what needs a person.

use std::time::Duration;

use serde_json::json;
use stoa_storage::on_both_engines;

use crate::support::{House, MEMBER, PASSWORD};

const DAY: Duration = Duration::from_hours(24);

/// What stands behind `stoa_`, the id in 22 letters and `_`; an `_` may be one of the letters.
pub(crate) fn secret_of(key: &str) -> &str {
    &key["stoa_".len() + 22 + "_".len()..]
}

on_both_engines! {
    async fn a_key_is_shown_once_and_works_until_it_is_deleted(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let new = json!({"name": "ci", "scopes": ["account", "infer"]});
        let made = owner.post("/api/v1/api-keys", new).await.good(201);
        let key = made.body["key"].as_str().unwrap().to_owned();
        assert_eq!(made.body["scopes"], json!(["infer", "account"]));
        assert_eq!(made.headers["cache-control"], "no-store");
        let mut program = house.program(&key);
        program.get("/api/v1/me").await.good(200);

        let list = owner.get("/api/v1/api-keys").await.good(200);
        let secret = secret_of(&key);
        assert!(!list.text.contains(secret) && !list.text.contains("hash"), "{}", list.text);
        assert_eq!(list.body["items"][0]["id"], made.body["id"]);
        assert_eq!(list.body["items"][0]["expires_at"], json!(null));

        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let path = format!("/api/v1/api-keys/{}", made.id());
        member.delete(&path).await.is(404, "not_found");
        assert_eq!(member.get("/api/v1/api-keys").await.body, json!({"items": []}));
        program.get("/api/v1/me").await.good(200);
        owner.delete(&path).await.good(204);
        program.get("/api/v1/me").await.is(401, "unauthenticated");
        owner.delete(&path).await.is(404, "not_found");
    }

    async fn a_key_only_infers_unless_told_otherwise_and_runs_out(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let new = json!({"name": "ci", "expires_at": house.clock.later(DAY)});
        let made = owner.post("/api/v1/api-keys", new).await.good(201);
        assert_eq!(made.body["scopes"], json!(["infer"]));
        assert_eq!(made.body["expires_at"], "2026-01-02T00:00:00Z");
        let mut program = house.program(made.body["key"].as_str().unwrap());
        let refused = program.get("/api/v1/me").await;
        refused.is(403, "forbidden");
        program.get("/v1/models").await.good(200);
        house.clock.forward(DAY);
        assert_eq!(program.get("/v1/models").await.status, 401);
        program.get("/api/v1/me").await.is(401, "unauthenticated");
    }

    async fn a_key_cannot_do_what_needs_a_person(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let made = owner.post("/api/v1/api-keys", json!({"name": "k", "scopes": ["account"]})).await.good(201);
        let mut program = house.program(made.body["key"].as_str().unwrap());
        let sessions = program.get("/api/v1/sessions").await.good(200);
        let session = sessions.body["items"][0]["id"].as_str().unwrap().to_owned();
        let me = program.get("/api/v1/me").await.good(200).id();
        let account = json!({"name": "X", "email": "x@example.org", "password": PASSWORD, "role": "owner"});
        let password = json!({"current_password": PASSWORD, "new_password": "another phrase"});
        program.post("/api/v1/api-keys", json!({"name": "another"})).await.is(403, "forbidden");
        program.delete(&format!("/api/v1/api-keys/{}", made.id())).await.is(403, "forbidden");
        program.delete(&format!("/api/v1/sessions/{session}")).await.is(403, "forbidden");
        program.put("/api/v1/me/password", password).await.is(403, "forbidden");
        program.post("/api/v1/users", account).await.is(403, "forbidden");
        program.patch(&format!("/api/v1/users/{me}"), json!({"name": "X"})).await.is(403, "forbidden");
        program.delete("/api/v1/session").await.is(403, "forbidden");
        program.get("/api/v1/providers").await.good(200);
        owner.get("/api/v1/me").await.good(200);
    }

    async fn what_no_key_can_be_is_refused_by_field(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let bad = json!({"name": "", "scopes": [], "expires_at": "2025-12-31T00:00:00Z"});
        let answer = owner.post("/api/v1/api-keys", bad).await;
        answer.is(422, "invalid_fields");
        assert_eq!(answer.fields(), ["name", "scopes", "expires_at"]);
        owner.post("/api/v1/api-keys", json!({"name": "k", "scopes": ["root"]})).await.is(400, "invalid_request");
        owner.post("/api/v1/api-keys", json!({"name": "k", "expires_at": "soon"})).await.is(400, "invalid_request");
    }
}

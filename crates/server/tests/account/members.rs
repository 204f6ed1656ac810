//! Members: who may add and change whom, and how soon it holds.

use serde_json::json;
use stoa_storage::on_both_engines;

use crate::support::{House, MEMBER, NOBODYS_ID, OWNER, PASSWORD, next_piece};

on_both_engines! {
    async fn an_owner_adds_people_and_sees_them(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let new = json!({"name": "Charles", "email": MEMBER, "password": PASSWORD, "role": "member"});
        let made = owner.post("/api/v1/users", new.clone()).await.good(201);
        assert_eq!(made.body["disabled"], false);
        assert_eq!(made.body["last_seen_at"], json!(null));
        owner.post("/api/v1/users", new).await.is(409, "email_taken");
        let other_case = json!({"name": "C", "email": "Charles@EXAMPLE.org", "password": PASSWORD, "role": "member"});
        owner.post("/api/v1/users", other_case).await.is(409, "email_taken");
        let list = owner.get("/api/v1/users").await.good(200);
        let emails: Vec<_> = list.body["items"].as_array().unwrap().iter().map(|user| &user["email"]).collect();
        assert_eq!(emails, [OWNER, MEMBER]);
        assert!(!list.text.contains("argon2") && !list.text.contains("epoch"));
        house.signed_in(MEMBER).await.get("/api/v1/me").await.good(200);
    }

    async fn the_last_owner_stays(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let me = owner.get("/api/v1/me").await.id();
        let path = format!("/api/v1/users/{me}");
        owner.patch(&path, json!({"role": "member"})).await.is(409, "last_owner");
        owner.patch(&path, json!({"disabled": true})).await.is(409, "last_owner");
        let (_, other) = house.join(&mut owner, MEMBER, "owner").await;
        owner.patch(&format!("/api/v1/users/{other}"), json!({"disabled": true})).await.good(200);
        owner.patch(&path, json!({"role": "admin"})).await.is(409, "last_owner");
        owner.patch(&format!("/api/v1/users/{other}"), json!({"disabled": false})).await.good(200);
        owner.patch(&path, json!({"role": "admin"})).await.good(200);
        owner.patch(&path, json!({"role": "owner"})).await.is(403, "forbidden");
    }

    async fn a_demotion_holds_at_once_and_closes_streams(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut admin, id) = house.join(&mut owner, MEMBER, "admin").await;
        admin.get("/api/v1/users").await.good(200);
        let (_, mut stream) = admin.first_piece("/api/v1/events").await;
        owner.patch(&format!("/api/v1/users/{id}"), json!({"role": "member"})).await.good(200);
        admin.get("/api/v1/users").await.is(403, "forbidden");
        admin.get("/api/v1/me").await.good(200);
        while next_piece(&mut stream).await.is_some() {}
    }

    async fn whoever_is_disabled_is_out_at_once(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut member, id) = house.join(&mut owner, MEMBER, "member").await;
        member.get("/api/v1/me").await.good(200);
        let answer = owner.patch(&format!("/api/v1/users/{id}"), json!({"disabled": true})).await.good(200);
        assert_eq!(answer.body["disabled"], true);
        member.get("/api/v1/me").await.is(401, "unauthenticated");
        let credentials = json!({"email": MEMBER, "password": PASSWORD});
        house.browser().post("/api/v1/session", credentials).await.is(401, "wrong_credentials");
    }

    async fn a_password_set_by_an_admin_replaces_the_old_one(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut member, id) = house.join(&mut owner, MEMBER, "member").await;
        let path = format!("/api/v1/users/{id}");
        let weak = owner.patch(&path, json!({"password": "charles@example.org"})).await;
        assert_eq!(weak.fields(), ["password"]);
        owner.patch(&path, json!({"password": "a new beginning"})).await.good(200);
        member.get("/api/v1/me").await.is(401, "unauthenticated");
        let new = json!({"email": MEMBER, "password": "a new beginning"});
        house.browser().post("/api/v1/session", new).await.good(200);
        // One's own needs the present one, so not this way.
        let me = owner.get("/api/v1/me").await.id();
        let own = owner.patch(&format!("/api/v1/users/{me}"), json!({"password": "a new beginning"})).await;
        assert_eq!(own.fields(), ["password"]);
    }

    async fn admins_run_members_and_nobody_above(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut admin, _) = house.join(&mut owner, "admin@example.org", "admin").await;
        let (_, member) = house.join(&mut admin, MEMBER, "member").await;
        let account = |role: &str| json!({"name": "X", "email": "x@example.org", "password": PASSWORD, "role": role});
        admin.post("/api/v1/users", account("admin")).await.is(403, "forbidden");
        admin.post("/api/v1/users", account("owner")).await.is(403, "forbidden");
        admin.patch(&format!("/api/v1/users/{member}"), json!({"role": "admin"})).await.is(403, "forbidden");
        let me = owner.get("/api/v1/me").await.id();
        admin.patch(&format!("/api/v1/users/{me}"), json!({"disabled": true})).await.is(403, "forbidden");
        admin.patch(&format!("/api/v1/users/{me}"), json!({"password": "taking over now"})).await.is(403, "forbidden");
        admin.patch(&format!("/api/v1/users/{NOBODYS_ID}"), json!({"name": "X"})).await.is(404, "not_found");
        admin.patch(&format!("/api/v1/users/{member}"), json!({"name": "Babbage"})).await.good(200);
        admin.patch(&format!("/api/v1/users/{member}"), json!({"email": "x@example.org"})).await.is(400, "invalid_request");
    }
}

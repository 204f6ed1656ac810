//! Secrets are in no log, and in no answer but the one that hands them over.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use stoa_mock_openai::Mock;
use stoa_storage::Engine;
use stoa_storage::testing::TestDatabase;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{House, MEMBER, OWNER, PASSWORD};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn secrets_stay_where_they_belong() {
    let log = Log::default();
    // Everything of ours; the wire-level trace of other crates is nobody's log.
    let filter = "info,stoa_server=trace,stoa_identity=trace,stoa_storage=trace,stoa_dispatch=trace,stoa_egress=trace,\
                  stoa_providers=trace,stoa_chat=trace";
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let provider_key = "sk-provider-secret-0123456789";
    let mock = Mock::default().key("sk-another-key-entirely").serve().await.unwrap();
    let (house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let token = owner.cookie.clone().unwrap();
    let made = owner.post("/api/v1/api-keys", json!({"name": "k", "scopes": ["account"]})).await.good(201);
    let key = made.body["key"].as_str().unwrap().to_owned();
    // What handed them over, and was meant to.
    house.answers.lock().unwrap().clear();

    let (_member, id) = house.join(&mut owner, MEMBER, "member").await;
    owner.patch(&format!("/api/v1/users/{id}"), json!({"password": "a new beginning"})).await.good(200);
    let change = json!({"current_password": PASSWORD, "new_password": "another fine phrase"});
    owner.put("/api/v1/me/password", change).await.good(204);
    let wrong = json!({"email": OWNER, "password": "a wrong guess here"});
    house.browser().post("/api/v1/session", wrong).await.is(401, "wrong_credentials");
    house.program(&key).get("/api/v1/me").await.good(200);
    house.program(&format!("{key}x")).get("/api/v1/me").await.is(401, "unauthenticated");
    let new = json!({
        "name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url(), "api_key": provider_key
    });
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    owner.post("/api/v1/egress/allowances", json!({"authority": mock.address().to_string()})).await.good(201);
    let check = owner.post(&format!("/api/v1/providers/{provider}/check"), json!({"model": "echo"})).await.good(200);
    assert_eq!(check.body["failure"]["code"], "provider_refused", "{}", check.text);
    owner.post(&format!("/api/v1/providers/{provider}/models/fetch"), json!({})).await.is(502, "provider_refused");
    for path in ["users", "sessions", "api-keys", "providers", "models", "egress/allowances"] {
        owner.get(&format!("/api/v1/{path}")).await.good(200);
    }
    owner.post("/api/v1/providers", json!({"name": provider_key, "slug": 7})).await.is(400, "invalid_request");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("request"), "the log was heard");
    let answers = house.answers.lock().unwrap().join("\n");
    let secret = crate::keys::secret_of(&key);
    for secret in
        [PASSWORD, "a new beginning", "another fine phrase", "a wrong guess here", secret, provider_key, "argon2id"]
    {
        assert!(!log.contains(secret), "the log tells {secret}");
        assert!(!answers.contains(secret), "an answer tells {secret}");
    }
    assert!(!log.contains(&token), "the log tells the session token");
}

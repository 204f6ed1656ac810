//! Providers and allowed addresses, tried out against a mock of the OpenAI API.

use serde_json::{Value, json};
use stoa_mock_openai::Mock;
use stoa_model::provider::ProviderKind;
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, on_both_engines};

use crate::support::{Browser, House, NOBODYS_ID};

const KEY: &str = "sk-provider-secret-0123456789";

fn provider(slug: &str, base_url: &str) -> Value {
    json!({"name": "Mock", "slug": slug, "kind": "openai", "base_url": base_url, "api_key": KEY, "enabled": true})
}

async fn allow(owner: &mut Browser, authority: &str) -> String {
    owner.post("/api/v1/egress/allowances", json!({"authority": authority})).await.good(201).id()
}

on_both_engines! {
    async fn a_provider_is_made_changed_and_deleted_and_its_key_never_shown(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let made = owner.post("/api/v1/providers", provider("mock", "https://api.example.com/v1")).await.good(201);
        assert_eq!((&made.body["has_api_key"], &made.body["models"]), (&json!(true), &json!([])));
        owner.post("/api/v1/providers", provider("mock", "https://api.example.com/v1")).await.is(409, "slug_taken");
        let path = format!("/api/v1/providers/{}", made.id());

        let kept = owner.patch(&path, json!({"name": "Renamed", "enabled": false})).await.good(200);
        assert_eq!((&kept.body["name"], &kept.body["enabled"]), (&json!("Renamed"), &json!(false)));
        assert_eq!(kept.body["has_api_key"], true, "an absent key stays");
        let cleared = owner.patch(&path, json!({"api_key": null})).await.good(200);
        assert_eq!(cleared.body["has_api_key"], false);
        let blank = owner.patch(&path, json!({"api_key": "  "})).await;
        assert_eq!(blank.fields(), ["api_key"]);
        let again = owner.patch(&path, json!({"api_key": KEY})).await.good(200);
        assert_eq!(again.body["has_api_key"], true);
        owner.patch(&path, json!({"slug": "other"})).await.is(400, "invalid_request");

        let list = owner.get("/api/v1/providers").await.good(200);
        let one = owner.get(&path).await.good(200);
        assert_eq!(list.body["items"], json!([one.body]));
        assert!(!(list.text + &one.text + &again.text + &made.text).contains(KEY));
        owner.delete(&path).await.good(204);
        owner.get(&path).await.is(404, "not_found");
        owner.delete(&path).await.is(404, "not_found");
        assert_eq!(owner.get("/api/v1/providers").await.body, json!({"items": []}));
    }

    async fn every_protocol_is_kept_and_spoken(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let server = Mock::default().key(KEY).serve().await.unwrap();
        allow(&mut owner, &server.address().to_string()).await;
        for kind in ProviderKind::ALL.map(ProviderKind::as_str) {
            let given = json!({"name": kind, "slug": kind, "kind": kind, "api_key": KEY,
                "base_url": format!("http://{}", server.address())});
            let made = owner.post("/api/v1/providers", given).await.good(201);
            let path = format!("/api/v1/providers/{}", made.id());
            assert_eq!(owner.get(&path).await.good(200).body["kind"], kind);
            let checked = owner.post(&format!("{path}/check"), json!({"model": "echo"})).await.good(200);
            assert_eq!(checked.body["ok"], true, "{kind}: {}", checked.text);
            let fetched = owner.post(&format!("{path}/models/fetch"), json!({})).await;
            if kind == "azure" {
                fetched.is(502, "invalid_request");
            } else {
                let models = fetched.good(200).body["models"].as_array().unwrap().len();
                assert!(models > 10, "{kind}: {models}");
            }
        }
        let strange = json!({"name": "x", "slug": "x", "kind": "telepathy", "base_url": "https://example.com"});
        owner.post("/api/v1/providers", strange).await.is(400, "invalid_request");
    }

    async fn parameters_of_one_model_reach_that_model_alone(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let mock = Mock::start().await.unwrap();
        allow(&mut owner, &mock.address().to_string()).await;
        let id = owner.post("/api/v1/providers", provider("mock", &mock.base_url())).await.good(201).id();
        let models = json!({"models": [
            {"name": "echo", "parameters": {"type": "object", "properties": {
                "top_k": {"type": "integer", "minimum": 1, "maximum": 40},
                "options.style": {"type": "string", "enum": ["plain", "rich"]},
            }}},
            {"name": "echo;rate=900"},
        ]});
        owner.put(&format!("/api/v1/providers/{id}/models"), models).await.good(200);
        let conversation = owner.post("/api/v1/conversations", json!({"title": "Titled"})).await.good(201).id();
        let own = json!({"own": {"top_k": 7, "options.style": "rich", "of_another": true}});
        let changed = json!({"parameters": own});
        let path = format!("/api/v1/conversations/{conversation}");
        let kept = owner.patch(&path, changed).await.good(200);
        assert_eq!(kept.body["parameters"], own, "what is for other models is kept too");
        let messages = format!("{path}/messages");
        let mut ask = async |model: &str, own: Value| {
            let turn = json!({"parts": [{"type": "text", "text": "hi"}], "model": model, "parameters": {"own": own}});
            let turn = owner.post(&messages, turn).await.good(202);
            let reply = turn.body["reply_id"].clone();
            loop {
                let list = owner.get(&messages).await.good(200);
                let items = list.body["items"].as_array().unwrap().clone();
                let answer = items.into_iter().find(|item| item["id"] == reply).unwrap();
                if answer["status"] != "running" {
                    return answer;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let sent = || mock.requests().last().unwrap().body.clone();
        assert_eq!(ask("mock/echo", own["own"].clone()).await["status"], "complete");
        assert_eq!((&sent()["top_k"], &sent()["options"]), (&json!(7), &json!({"style": "rich"})));
        assert_eq!(sent().get("of_another"), None);
        ask("mock/echo;rate=900", own["own"].clone()).await;
        assert_eq!((sent().get("top_k"), sent().get("options")), (None, None), "it has no such parameters");
        let refused = ask("mock/echo", json!({"top_k": 41})).await;
        assert_eq!(refused["error"]["detail"], "the parameter `top_k` must be at most 40");
        let wrong = json!({"parameters": {"own": {"stream": false}}});
        owner.patch(&path, wrong).await.is(400, "invalid_request");
    }

    async fn models_are_written_by_hand_and_offered(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let id = owner.post("/api/v1/providers", provider("mock", "https://api.example.com/v1")).await.good(201).id();
        let path = format!("/api/v1/providers/{id}/models");
        let models = json!([
            {
                "name": "big", "display_name": "Big", "context_window": 8192, "abilities": ["tools"], "enabled": true,
                "prices": {"input": 2_500_000, "cached_input": null, "output": 10_000_000}, "stand_in": "mock/meta/small",
                "parameters": {"type": "object", "properties": {"top_k": {"type": "integer", "minimum": 1, "maximum": 40}}},
            },
            {"name": "meta/small"},
            {"name": "hidden", "enabled": false},
        ]);
        let put = owner.put(&path, json!({"models": models})).await.good(200);
        assert_eq!(put.body["models"][0], models[0]);
        let small = json!({
            "name": "meta/small", "display_name": null, "context_window": null, "abilities": [], "prices": null,
            "stand_in": null, "parameters": null, "enabled": true
        });
        assert_eq!(put.body["models"][1], small);
        let offered = owner.get("/api/v1/models").await.good(200);
        let ids: Vec<_> = offered.body["items"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
        assert_eq!(ids, ["mock/big", "mock/meta/small"], "in force with the answer, and the hidden one is not there");
        let twice = owner.put(&path, json!({"models": [{"name": "a"}, {"name": "a"}]})).await;
        assert_eq!(twice.fields(), ["models.1.name"]);
        let many: Vec<_> = (0..2_001).map(|n| json!({"name": format!("m{n}")})).collect();
        assert_eq!(owner.put(&path, json!({"models": many})).await.fields(), ["models"]);
        let most: Vec<_> = (0..2_000).map(|n| json!({"name": format!("m{n:04}{}", "x".repeat(250))})).collect();
        assert_eq!(owner.put(&path, json!({"models": most})).await.good(200).body["models"][1999], json!({
            "name": format!("m1999{}", "x".repeat(250)),
            "display_name": null, "context_window": null, "abilities": [], "prices": null, "stand_in": null, "parameters": null,
            "enabled": true
        }));
        let prices = json!({"input": 100_000_000_001_u64, "output": 1});
        let wrong = json!({"models": [{"name": "a", "prices": prices}, {"name": "b", "stand_in": "no-model"}]});
        assert_eq!(owner.put(&path, wrong).await.fields(), ["models.0.prices", "models.1.stand_in"]);
        let wrong = json!({"models": [{
            "name": "a", "parameters": {"type": "object", "properties": {"messages": {"type": "string"}}}
        }]});
        assert_eq!(owner.put(&path, wrong).await.fields(), ["models.0.parameters"]);
        let unknown = json!({"models": [{"name": "a", "price": 1}]});
        owner.put(&path, unknown).await.is(400, "invalid_request");
        let nobodys = format!("/api/v1/providers/{NOBODYS_ID}/models");
        owner.put(&nobodys, json!({"models": []})).await.is(404, "not_found");
    }

    async fn a_check_shows_the_real_error_and_the_way_to_allow_an_address(test: TestDatabase) {
        let mock = Mock::default().key(KEY).serve().await.unwrap();
        let (_house, mut owner) = House::with_owner(test).await;
        let authority = mock.address().to_string();
        let id = owner.post("/api/v1/providers", provider("mock", &mock.base_url())).await.good(201).id();
        let (check, fetch) = (format!("/api/v1/providers/{id}/check"), format!("/api/v1/providers/{id}/models/fetch"));

        let refused = owner.post(&check, json!({"model": "echo"})).await.good(200);
        assert_eq!((&refused.body["ok"], &refused.body["latency_ms"]), (&json!(false), &json!(null)));
        assert_eq!(refused.body["failure"]["code"], "egress_refused");
        assert_eq!(refused.body["failure"]["authority"], json!(authority));
        let refused = owner.post(&fetch, json!({})).await;
        refused.is(502, "egress_refused");
        assert_eq!(refused.body["authority"], json!(authority));

        let allowance = allow(&mut owner, &authority).await;
        assert_eq!(allow(&mut owner, &authority).await, allowance, "allowing it again changes nothing");
        let good = owner.post(&check, json!({"model": "echo"})).await.good(200);
        assert_eq!((&good.body["ok"], &good.body["model"]), (&json!(true), &json!("echo")), "{}", good.text);
        assert!(good.body["latency_ms"].is_u64() && good.body["failure"].is_null());
        let busy = owner.post(&check, json!({"model": "error-429"})).await.good(200);
        assert_eq!(busy.body["failure"]["code"], "provider_refused", "{}", busy.text);
        assert!(busy.body["failure"].get("authority").is_none());

        let fetched = owner.post(&fetch, json!({})).await.good(200);
        let count = fetched.body["models"].as_array().unwrap().len();
        assert!(count > 1 && fetched.body["models"].as_array().unwrap().iter().all(|model| model["enabled"] == true));
        let mut models = fetched.body["models"].clone();
        models[0]["enabled"] = json!(false);
        models[0]["display_name"] = json!("Mine");
        owner.put(&format!("/api/v1/providers/{id}/models"), json!({"models": [models[0]]})).await.good(200);
        let again = owner.post(&fetch, json!({})).await.good(200);
        assert_eq!(again.body["models"][0], models[0], "what is known keeps its settings");
        assert_eq!(again.body["models"].as_array().unwrap().len(), count);

        let wrong = json!({"api_key": "sk-a-wrong-key-9876543210"});
        owner.patch(&format!("/api/v1/providers/{id}"), wrong).await.good(200);
        let failed = owner.post(&check, json!({"model": "echo"})).await.good(200);
        assert_eq!(failed.body["failure"]["code"], "provider_refused", "{}", failed.text);
        assert!(failed.body["failure"]["detail"].as_str().unwrap().contains("401"), "{}", failed.text);
        assert!(!failed.text.contains("sk-a-wrong-key"));

        let list = owner.get("/api/v1/egress/allowances").await.good(200);
        assert_eq!(list.body["items"][0]["authority"], json!(authority));
        owner.delete(&format!("/api/v1/egress/allowances/{allowance}")).await.good(204);
        owner.delete(&format!("/api/v1/egress/allowances/{allowance}")).await.is(404, "not_found");
        let refused = owner.post(&check, json!({"model": "echo"})).await.good(200);
        assert_eq!(refused.body["failure"]["code"], "egress_refused", "open connections are not used either");
    }
}

#[tokio::test]
async fn a_check_takes_no_body_at_all_and_names_the_model_it_tried() {
    let mock = Mock::default().key(KEY).serve().await.unwrap();
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    allow(&mut owner, &mock.address().to_string()).await;
    let id = owner.post("/api/v1/providers", provider("mock", &mock.base_url())).await.good(201).id();
    owner.put(&format!("/api/v1/providers/{id}/models"), json!({"models": [{"name": "echo"}]})).await.good(200);
    let path = format!("/api/v1/providers/{id}/check");
    let good = owner.send(http::Method::POST, &path, None).await.good(200);
    assert_eq!((&good.body["ok"], &good.body["model"]), (&json!(true), &json!("echo")), "{}", good.text);
    assert_eq!(owner.post(&path, json!({"model": "x".repeat(257)})).await.fields(), ["model"]);
    owner.post(&path, json!({"models": []})).await.is(400, "invalid_request");
    let nobodys = format!("/api/v1/providers/{NOBODYS_ID}/check");
    owner.post(&nobodys, json!({})).await.is(404, "not_found");
}

/// Metadata services, loopback and private networks, in every way to write them.
#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let id = owner.post("/api/v1/providers", provider("mock", "https://api.example.com")).await.good(201).id();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "１２７.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
    ] {
        let change = json!({"base_url": format!("http://{host}:9/v1")});
        owner.patch(&format!("/api/v1/providers/{id}"), change).await.good(200);
        let answer = owner.post(&format!("/api/v1/providers/{id}/check"), json!({"model": "m"})).await.good(200);
        assert_eq!(answer.body["failure"]["code"], "egress_refused", "{host}: {}", answer.text);
        assert!(answer.body["failure"]["authority"].as_str().unwrap().ends_with(":9"), "{host}");
    }
}

#[tokio::test]
async fn what_no_provider_can_be_is_refused_by_field() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let bad = json!({
        "name": "", "slug": "Not A Slug", "kind": "openai", "base_url": "ftp://x", "api_key": "a\nb", "enabled": true
    });
    let answer = owner.post("/api/v1/providers", bad).await;
    answer.is(422, "invalid_fields");
    assert_eq!(answer.fields(), ["name", "slug", "base_url", "api_key"]);
    assert_eq!(owner.post("/api/v1/providers", provider("local", "https://x.test")).await.fields(), ["slug"]);
    for base_url in ["https://u:p@x.test/v1", "https://x.test/v1?key=1", "https://x.test/#v1", "//x.test"] {
        assert_eq!(owner.post("/api/v1/providers", provider("p", base_url)).await.fields(), ["base_url"], "{base_url}");
    }
    let mut other_kind = provider("p", "https://x.test");
    other_kind["kind"] = json!("carrier-pigeon");
    owner.post("/api/v1/providers", other_kind).await.is(400, "invalid_request");
    for authority in ["", "localhost", "http://localhost:1", "a:b", "a@b:1", "localhost:1/x", &"x".repeat(400)] {
        let answer = owner.post("/api/v1/egress/allowances", json!({"authority": authority})).await;
        assert_eq!(answer.fields(), ["authority"], "{authority}");
    }
    let spelt = owner.post("/api/v1/egress/allowances", json!({"authority": " LOCALHOST.:11434 "})).await.good(201);
    assert_eq!(spelt.body["authority"], "localhost:11434");
}

//! The models of the machine, as owners and admins manage them.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_storage::Engine;
use stoa_storage::testing::TestDatabase;

use crate::support::{Browser, House};

const MODELS: &str = "/api/v1/local-models";
const PULLS: &str = "/api/v1/local-models/pulls";

async fn house() -> (House, Browser) {
    House::with_owner(TestDatabase::open(Engine::Sqlite).await).await
}

async fn items(owner: &mut Browser, path: &str) -> Vec<Value> {
    owner.get(path).await.good(200).body["items"].as_array().unwrap().clone()
}

async fn names(owner: &mut Browser) -> Vec<String> {
    items(owner, MODELS).await.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn models_are_listed_with_what_is_known_of_them_and_what_they_do() {
    let (_house, mut owner) = house().await;
    let list = items(&mut owner, MODELS).await;
    assert_eq!(names(&mut owner).await, ["tiny:1b", "tiny:copy"]);
    let model = &list[0];
    for known in ["title", "quantization", "architecture", "modified_at"] {
        assert!(model[known].as_str().is_some_and(|text| !text.is_empty()), "{known}: {model}");
    }
    for counted in ["size_bytes", "context_window"] {
        assert!(model[counted].as_u64().is_some_and(|number| number > 0), "{counted}: {model}");
    }
    assert_eq!((&model["activity"]["state"], &model["activity"]["memory_bytes"]), (&json!("cold"), &Value::Null));

    let machine = owner.get("/api/v1/local-models/machine").await.good(200).body;
    let number = |name: &str| machine[name].as_u64().unwrap();
    assert!(number("memory_available_bytes") <= number("memory_total_bytes"));
    assert!(number("processors") > 0 && number("disk_free_bytes") > 0);
    assert_eq!(number("models_bytes"), 0);

    let suggestions = items(&mut owner, "/api/v1/local-models/suggestions").await;
    assert!(suggestions.len() > 10 && suggestions.iter().all(|item| item["installed"] == false));
}

#[tokio::test]
async fn deleting_a_name_leaves_what_other_names_use() {
    let (_house, mut owner) = house().await;
    owner.delete(&format!("{MODELS}/TINY:1B")).await.good(204);
    assert_eq!(names(&mut owner).await, ["tiny:copy"]);
    let size = items(&mut owner, MODELS).await[0]["size_bytes"].as_u64().unwrap();
    assert!(size > 0, "its file is still there");
    owner.delete(&format!("{MODELS}/tiny:copy")).await.good(204);
    assert!(names(&mut owner).await.is_empty());
    for name in ["tiny:copy", "hf.co%2Fa%2Fb:Q4_0", "..%2F..%2Fetc%2Fpasswd"] {
        owner.delete(&format!("{MODELS}/{name}")).await.is(404, "model_not_found");
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_run_says_so_and_the_list_remembers() {
    let (_house, mut owner) = house().await;
    let answer = owner.post(&format!("{MODELS}/tiny:1b/load"), json!({})).await;
    answer.is(502, "worker_failed");
    assert!(answer.text.contains("it could not be started"), "{}", answer.text);
    for item in items(&mut owner, MODELS).await {
        assert_eq!(item["activity"]["last_failure"], "it could not be started", "one worker for both names");
    }
    owner.post(&format!("{MODELS}/tiny:1b/unload"), json!({})).await.good(204);
    for act in ["load", "unload"] {
        owner.post(&format!("{MODELS}/none:1b/{act}"), json!({})).await.is(404, "model_not_found");
    }
}

#[tokio::test]
async fn a_pull_that_fails_stays_until_it_is_dismissed() {
    let (_house, mut owner) = house().await;
    for body in [json!({"name": "../../etc"}), json!({"name": ""}), json!({"name": "a b"})] {
        let answer = owner.post(PULLS, body).await;
        answer.is(422, "invalid_fields");
        assert_eq!(answer.fields(), ["name"]);
    }
    owner.post(PULLS, json!({"name": "a", "insecure": true})).await.is(400, "invalid_request");
    let pull = owner.post(PULLS, json!({"name": " 127.0.0.1:9/library/tiny "})).await.good(202);
    assert_eq!(pull.body["name"], "127.0.0.1:9/library/tiny:latest");
    let failed = loop {
        let [pull] = items(&mut owner, PULLS).await.try_into().unwrap();
        if pull["state"] == "failed" {
            break pull;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(failed["id"], pull.body["id"]);
    assert_eq!(
        (&failed["failure"]["code"], &failed["failure"]["authority"]),
        (&json!("egress_refused"), &json!("127.0.0.1:9"))
    );
    let path = format!("{PULLS}/{}", pull.id());
    assert_eq!(owner.post(&format!("{path}/cancel"), json!({})).await.good(200).body["state"], "failed");
    owner.delete(&path).await.good(204);
    assert!(items(&mut owner, PULLS).await.is_empty());
    owner.delete(&path).await.is(404, "not_found");
    owner.post(&format!("{path}/cancel"), json!({})).await.is(404, "not_found");
}

#[tokio::test]
async fn a_search_that_may_not_go_out_says_what_to_allow() {
    let (_house, mut owner) = house().await;
    let search = "/api/v1/local-models/search";
    let answer = owner.get(&format!("{search}?q=llama")).await;
    answer.is(502, "egress_refused");
    assert_eq!(answer.body["authority"], "127.0.0.1:9");
    owner.post("/api/v1/egress/allowances", json!({"authority": "127.0.0.1:9"})).await.good(201);
    let answer = owner.get(&format!("{search}?q=llama")).await;
    answer.is(502, "search_unreachable");
    assert!(answer.body["hint"].as_str().unwrap().contains("stoa model import"));
    for query in ["?q=", "?q=%20", &format!("?q={}", "x".repeat(201))] {
        owner.get(&format!("{search}{query}")).await.is(422, "invalid_fields");
    }
    owner.get(search).await.is(400, "invalid_query");
    owner.get(&format!("{search}?q=a&limit=9")).await.is(400, "invalid_query");
}

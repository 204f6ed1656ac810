//! Messages that are taken out and translated, temporary conversations, prompts and first steps, over HTTP.

use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;

use crate::support::{Browser, House};

async fn with_mock(owner: &mut Browser) -> MockServer {
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [{"name": "echo"}, {"name": "endless;rate=20"}]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    mock
}

async fn say(owner: &mut Browser, conversation: &str, text: &str, model: &str) -> Value {
    let turn = json!({"parts": [{"type": "text", "text": text}], "model": model});
    owner.post(&format!("/api/v1/conversations/{conversation}/messages"), turn).await.good(202).body
}

/// The messages of the branch once nothing is written any more.
async fn written(owner: &mut Browser, conversation: &str) -> Vec<Value> {
    for _ in 0..400 {
        let list = owner.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200);
        let items = list.body["items"].as_array().unwrap().clone();
        if items.iter().all(|item| item["status"] != "running") {
            return items;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the answer does not end");
}

on_both_engines! {
    async fn a_message_is_taken_out_only_when_nothing_is_written_to_it(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let conversation = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        let turn = say(&mut owner, &conversation, "hello", "mock/endless;rate=20").await;
        let id = |name: &str| turn[name].as_str().unwrap().to_owned();
        for message in [id("message_id"), id("reply_id")] {
            owner.delete(&format!("/api/v1/messages/{message}")).await.is(409, "answer_running");
        }
        let translation = format!("/api/v1/messages/{}/translation", id("reply_id"));
        owner.post(&translation, json!({"language": "en"})).await.is(409, "answer_running");
        owner.delete(&format!("/api/v1/generations/{}", id("generation_id"))).await.good(204);
        assert_eq!(written(&mut owner, &conversation).await.len(), 2);
        owner.delete(&format!("/api/v1/messages/{}", id("message_id"))).await.good(204);
        assert_eq!(written(&mut owner, &conversation).await.len(), 0);
        owner.delete(&format!("/api/v1/messages/{}", id("reply_id"))).await.is(404, "not_found");
        owner.post(&format!("/api/v1/messages/{}/restore", id("message_id")), json!({})).await.good(204);
        assert_eq!(written(&mut owner, &conversation).await.len(), 2);
    }

    async fn a_message_is_translated_by_the_model_and_the_translation_kept(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let conversation = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        say(&mut owner, &conversation, "Guten Morgen", "mock/echo").await;
        let answer = written(&mut owner, &conversation).await.pop().unwrap();
        let path = format!("/api/v1/messages/{}/translation", answer["id"].as_str().unwrap());
        let calls = owner.get("/api/v1/usage").await.good(200).body;
        let done = owner.post(&path, json!({"language": "zh"})).await.good(200);
        let wanted = json!({"language": "zh", "text": "Guten Morgen", "model": "mock/echo"});
        assert_eq!(done.body["translation"], wanted, "the echo of what was to be translated");
        assert_eq!(written(&mut owner, &conversation).await[1]["translation"], wanted);
        // The ledger is written a moment later.
        let mut noted = false;
        for _ in 0..200 {
            noted = owner.get("/api/v1/usage").await.good(200).body != calls;
            if noted {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert!(noted, "the ledger has the call");
        let other = json!({"language": "zh", "model": "mock/none"});
        owner.post(&path, other).await.is(404, "model_not_found");
        owner.post(&path, json!({"language": "xx"})).await.is(400, "invalid_request");
        owner.delete(&path).await.good(204);
        assert_eq!(written(&mut owner, &conversation).await[1]["translation"], Value::Null);
    }

    async fn old_turns_are_summed_up_on_request_and_that_is_taken_back(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let conversation = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        let context = format!("/api/v1/conversations/{conversation}/context");
        let empty = owner.get(&context).await.good(200).body;
        assert_eq!((&empty["messages"], &empty["summable"]), (&json!(0), &Value::Null));
        for word in ["one", "two"] {
            say(&mut owner, &conversation, word, "mock/echo").await;
            written(&mut owner, &conversation).await;
        }
        let figures = owner.get(&context).await.good(200).body;
        let answer = figures["summable"].as_str().unwrap().to_owned();
        assert_eq!(answer, written(&mut owner, &conversation).await[1]["id"], "all but the last turn");
        let path = format!("/api/v1/messages/{answer}/summary");
        let done = owner.post(&path, json!({})).await.good(200);
        // The model echoes what it was to sum up.
        let wanted = json!({"text": "User: one\n\nAssistant: one", "model": "mock/echo", "messages": 2});
        assert_eq!(done.body["summary"], wanted);
        let figures = owner.get(&context).await.good(200).body;
        assert_eq!((&figures["messages"], &figures["summed_up"], &figures["summable"]), (&json!(2), &json!(2), &Value::Null));
        // The next answer is given by the summary and what came after it.
        let second = written(&mut owner, &conversation).await[3]["id"].as_str().unwrap().to_owned();
        owner.post(&format!("/api/v1/messages/{second}/regenerate"), json!({})).await.good(202);
        let told = "A summary of our conversation so far:\n\nUser: one\n\nAssistant: one\n\ntwo";
        assert_eq!(written(&mut owner, &conversation).await[3]["parts"][0]["text"], told);
        let wrong = format!("/api/v1/messages/{}/summary", written(&mut owner, &conversation).await[0]["id"].as_str().unwrap());
        owner.post(&wrong, json!({})).await.is(409, "refused");
        owner.post(&path, json!({"model": "mock/none"})).await.is(404, "model_not_found");
        owner.post(&path, json!({"model": "~mine/echo"})).await.is(404, "model_not_found");
        owner.delete(&path).await.good(204);
        assert_eq!(written(&mut owner, &conversation).await[1]["summary"], Value::Null);
        let about = owner.get(&format!("/api/v1/conversations/{conversation}")).await.good(200).body;
        assert_eq!(about["auto_summary"], json!(false), "whoever takes one back wants no more");
        let on = json!({"auto_summary": true});
        let path = format!("/api/v1/conversations/{conversation}");
        let changed = owner.send(Method::PATCH, &path, Some(on)).await.good(200);
        assert_eq!(changed.body["auto_summary"], json!(true));
    }

    async fn a_temporary_conversation_ends_also_in_the_middle_of_an_answer(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let made = owner.post("/api/v1/conversations", json!({"temporary": true})).await.good(201);
        assert!(made.body["temporary_until"].is_string() || made.body["temporary_until"].is_number());
        let conversation = made.id();
        let turn = say(&mut owner, &conversation, "secret", "mock/endless;rate=20").await;
        assert_eq!(owner.get("/api/v1/conversations").await.good(200).body["items"], json!([]));
        let path = format!("/api/v1/conversations/{conversation}");
        owner.delete(&path).await.good(204);
        owner.get(&path).await.is(404, "not_found");
        owner.post(&format!("{path}/restore"), json!({})).await.is(404, "not_found");
        let generation = format!("/api/v1/generations/{}", turn["generation_id"].as_str().unwrap());
        // Whoever wrote the answer has nothing left to write to.
        let mut gone = false;
        for _ in 0..200 {
            gone = owner.delete(&generation).await.status == 404;
            if gone {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert!(gone, "the answer is still being written");
        let kept = owner.post("/api/v1/conversations", json!({"temporary": true})).await.good(201).id();
        let keep = json!({"keep": true});
        let kept = owner.send(Method::PATCH, &format!("/api/v1/conversations/{kept}"), Some(keep)).await.good(200);
        assert_eq!(kept.body["temporary_until"], Value::Null);
    }

    async fn prompts_and_first_steps_are_kept(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let wrong = json!({"name": "X", "text": "{{n}}", "variables": [{"name": "n", "kind": "number", "default": "many"}]});
        owner.post("/api/v1/prompts", wrong).await.is(422, "invalid_fields");
        let new = json!({"name": " Letter ", "text": "Dear {{who}}", "variables": [{"name": "who"}]});
        let made = owner.post("/api/v1/prompts", new).await.good(201);
        assert_eq!((&made.body["name"], &made.body["variables"][0]["kind"]), (&json!("Letter"), &json!("text")));
        let path = format!("/api/v1/prompts/{}", made.id());
        owner.put(&path, json!({"name": "Note", "text": "x"})).await.good(200);
        let list = owner.get("/api/v1/prompts").await.good(200);
        assert_eq!((list.body["items"].as_array().unwrap().len(), &list.body["items"][0]["name"]), (1, &json!("Note")));
        owner.delete(&path).await.good(204);
        owner.delete(&path).await.is(404, "not_found");
        assert_eq!(owner.get("/api/v1/me").await.good(200).body["welcomed"], json!(false));
        let done = owner.send(Method::PATCH, "/api/v1/me", Some(json!({"welcomed": true}))).await.good(200);
        assert_eq!((&done.body["welcomed"], &done.body["name"]), (&json!(true), &owner.get("/api/v1/me").await.body["name"]));
    }
}

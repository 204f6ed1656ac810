//! Threads, and assistants that answer one turn, over HTTP: what the model is asked, what is refused, and how they come and go.

use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;

use crate::support::{Browser, House, MEMBER};

async fn with_mock(owner: &mut Browser) -> MockServer {
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [{"name": "echo"}, {"name": "echo;rate=900"}, {"name": "endless;rate=20"}]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    mock
}

/// Says something and waits for the answer.
async fn say(owner: &mut Browser, conversation: &str, text: &str) -> Value {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let turn = json!({"parts": [{"type": "text", "text": text}], "model": "mock/echo"});
    let turn = owner.post(&path, turn).await.good(202).body;
    for _ in 0..400 {
        let list = owner.get(&path).await.good(200);
        if list.body["items"].as_array().unwrap().iter().all(|item| item["status"] != "running") {
            return turn;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the answer does not end");
}

/// What the model was asked last, without requests for titles.
fn asked(mock: &MockServer) -> Vec<String> {
    let mut turns = mock.requests().into_iter().filter_map(|request| {
        let body = request.body;
        let messages = body["messages"].as_array()?.clone();
        let said = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
        let texts: Vec<String> = messages.iter().map(said).collect();
        (!texts.last()?.contains("Write a title")).then_some(texts)
    });
    turns.next_back().unwrap()
}

on_both_engines! {
    async fn a_thread_is_asked_with_what_it_hangs_on(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let mock = with_mock(&mut owner).await;
        let new = json!({"title": "Engines"});
        let conversation = owner.post("/api/v1/conversations", new).await.good(201).id();
        let role = json!({"role": "Be brief."});
        owner.send(Method::PATCH, &format!("/api/v1/conversations/{conversation}"), Some(role)).await.good(200);
        let first = say(&mut owner, &conversation, "apple").await;
        say(&mut owner, &conversation, "pear").await;
        let at = format!("/api/v1/messages/{}/threads", first["reply_id"].as_str().unwrap());
        owner.post(&at, json!({})).await.is(400, "invalid_request");
        let made = owner.post(&at, json!({"with_context": true})).await.good(201);
        assert_eq!((&made.body["role"], &made.body["model"]), (&json!("Be brief."), &json!("mock/echo")));
        let thread = made.id();
        let turn = say(&mut owner, &thread, "cherry").await;
        assert_eq!(asked(&mock), ["Be brief.", "apple", "apple", "cherry"]);
        house.clock.forward(std::time::Duration::from_secs(5));
        let alone = owner.post(&at, json!({"with_context": false})).await.good(201).id();
        say(&mut owner, &alone, "quince").await;
        assert_eq!(asked(&mock), ["Be brief.", "Earlier you answered:\n\napple\n\nquince"]);
        let within = format!("/api/v1/messages/{}/threads", turn["reply_id"].as_str().unwrap());
        owner.post(&within, json!({"with_context": true})).await.is(409, "thread_in_thread");

        let page = owner.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200).body;
        let lines: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["threads"]).collect();
        assert_eq!((lines[0], lines[2], lines[3]), (&json!([]), &json!([]), &json!([])));
        assert_eq!((&lines[1][0]["id"], &lines[1][0]["messages"]), (&json!(thread), &json!(2)));
        let listed = owner.get(&format!("/api/v1/conversations/{conversation}/threads")).await.good(200);
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
        let link = json!({"audience": "members"});
        let link = owner.post(&format!("/api/v1/conversations/{conversation}/shares"), link).await.good(201);
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let shared = format!("/api/v1/shared/{}/messages", link.body["token"].as_str().unwrap());
        let shown = member.get(&shared).await.good(200).text;
        assert!(shown.contains("pear") && !shown.contains("cherry"), "a link leaves threads out: {shown}");
    }

    async fn an_assistant_answers_one_turn_of_any_conversation(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let mock = with_mock(&mut owner).await;
        let sage = json!({"name": "Sage", "role": "You are wise.", "input_template": "<{{text}}>"});
        let sage = owner.post("/api/v1/assistants", sage).await.good(201).id();
        let conversation = owner.post("/api/v1/conversations", json!({"title": "x"})).await.good(201).id();
        let role = json!({"role": "Be brief."});
        owner.send(Method::PATCH, &format!("/api/v1/conversations/{conversation}"), Some(role)).await.good(200);
        say(&mut owner, &conversation, "apple").await;
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let turn = |assistant: &str| {
            json!({"parts": [{"type": "text", "text": "pear"}], "model": "mock/echo;rate=900", "assistant_id": assistant})
        };
        let reply = owner.post(&path, turn(&sage)).await.good(202).body["reply_id"].as_str().unwrap().to_owned();
        let written = |list: &Value| list["items"].as_array().unwrap().iter().all(|item| item["status"] != "running");
        while !written(&owner.get(&path).await.good(200).body) {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert_eq!(asked(&mock), ["You are wise.", "<apple>", "apple", "<pear>"]);
        let list = owner.get(&path).await.good(200).body;
        let who = |list: &Value, at: usize| list["items"][at]["assistant_id"].clone();
        assert_eq!((who(&list, 1), who(&list, 2), who(&list, 3)), (Value::Null, Value::Null, json!(sage)));
        let model = owner.get(&format!("/api/v1/conversations/{conversation}")).await.good(200).body["model"].clone();
        assert_eq!(model, "mock/echo", "what was asked once is not what the conversation goes on with");
        // The next turn is the conversation's own again, and another answer to this one is the assistant's.
        say(&mut owner, &conversation, "plum").await;
        assert_eq!(asked(&mock), ["Be brief.", "apple", "apple", "pear", "<pear>", "plum"]);
        owner.post(&format!("/api/v1/messages/{reply}/regenerate"), json!({})).await.good(202);
        while !written(&owner.get(&path).await.good(200).body) {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert_eq!(asked(&mock), ["You are wise.", "<apple>", "apple", "<pear>"]);
        assert_eq!(who(&owner.get(&path).await.good(200).body, 3), json!(sage));
        // Who answered goes along to another account, as who is there.
        let archive = owner.get("/api/v1/export").await.good(200).text;
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        crate::exports::import(&mut member, archive).await.good(200);
        let theirs = member.get("/api/v1/assistants").await.good(200).body["items"][0]["id"].clone();
        let copy = member.get("/api/v1/conversations").await.good(200).body["items"][0]["id"].clone();
        let copy = format!("/api/v1/conversations/{}/messages", copy.as_str().unwrap());
        assert_eq!(who(&member.get(&copy).await.good(200).body, 3), theirs);
        assert_ne!(theirs, json!(sage));
        // Somebody else's, and one that was deleted, are not asked.
        member.post(&copy, turn(&sage)).await.is(404, "assistant_not_found");
        owner.delete(&format!("/api/v1/assistants/{sage}")).await.good(204);
        owner.post(&path, turn(&sage)).await.is(404, "assistant_not_found");
        owner.post(&format!("/api/v1/messages/{reply}/regenerate"), json!({})).await.good(202);
        while !written(&owner.get(&path).await.good(200).body) {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert_eq!(asked(&mock), ["Be brief.", "apple", "apple", "pear"], "who is gone says nothing more");
    }

    async fn a_message_that_is_being_written_has_no_threads_and_one_that_has_some_goes(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let conversation = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let turn = json!({"parts": [{"type": "text", "text": "on and on"}], "model": "mock/endless;rate=20"});
        let turn = owner.post(&path, turn).await.good(202).body;
        let id = |name: &str| turn[name].as_str().unwrap().to_owned();
        let running = format!("/api/v1/messages/{}/threads", id("reply_id"));
        owner.post(&running, json!({"with_context": true})).await.is(409, "answer_running");
        let at = format!("/api/v1/messages/{}/threads", id("message_id"));
        let thread = owner.post(&at, json!({"with_context": true})).await.good(201).id();
        say(&mut owner, &thread, "meanwhile").await;
        owner.delete(&format!("/api/v1/generations/{}", id("generation_id"))).await.good(204);
        let message = format!("/api/v1/messages/{}", id("message_id"));
        let thread = format!("/api/v1/conversations/{thread}");
        for _ in 0..200 {
            if owner.delete(&message).await.status == 204 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        owner.get(&thread).await.is(404, "not_found");
        owner.post(&format!("{thread}/restore"), json!({})).await.is(404, "not_found");
        owner.post(&format!("{message}/restore"), json!({})).await.good(204);
        owner.get(&thread).await.good(200);
    }

    async fn a_thread_without_its_message_is_imported_as_a_conversation(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let _mock = with_mock(&mut owner).await;
        let conversation = owner.post("/api/v1/conversations", json!({"title": "Engines"})).await.good(201).id();
        let first = say(&mut owner, &conversation, "apple").await;
        let at = format!("/api/v1/messages/{}/threads", first["reply_id"].as_str().unwrap());
        let thread = owner.post(&at, json!({"with_context": true})).await.good(201).id();
        say(&mut owner, &thread, "cherry").await;
        // One conversation takes its threads along, and a thread goes alone too.
        let whole = owner.get(&format!("/api/v1/conversations/{conversation}/export?format=json")).await.good(200).text;
        let alone = owner.get(&format!("/api/v1/conversations/{thread}/export?format=json")).await.good(200).text;
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        crate::exports::import(&mut member, alone).await.good(200);
        let listed = member.get("/api/v1/conversations").await.good(200).body;
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["thread"]), (1, &Value::Null));
        member.delete(&format!("/api/v1/conversations/{}", listed["items"][0]["id"].as_str().unwrap())).await.good(204);
        let (mut other, _) = house.join(&mut owner, "grace@example.com", "member").await;
        crate::exports::import(&mut other, whole).await.good(200);
        let listed = other.get("/api/v1/conversations").await.good(200).body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let id = listed["items"][0]["id"].as_str().unwrap();
        let threads = other.get(&format!("/api/v1/conversations/{id}/threads")).await.good(200).body;
        assert_eq!((&threads["items"][0]["thread"]["messages"], threads["items"].as_array().unwrap().len()), (&json!(2), 1));
    }
}

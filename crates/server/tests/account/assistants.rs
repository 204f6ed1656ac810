//! Assistants over HTTP: made, changed, copied, ordered, taken away and brought elsewhere; and talked to.

use serde_json::{Value, json};
use stoa_mock_openai::Mock;
use stoa_storage::on_both_engines;

use crate::support::House;

fn translator() -> Value {
    json!({
        "name": "Translator", "avatar": "🌐", "background": "#1f6feb", "description": "Both ways", "tags": ["language"],
        "opening_message": "What shall I translate?", "opening_questions": ["Good morning"],
        "role": "You translate.", "input_template": "Translate: {{text}}",
        "model": "mock/echo", "parameters": {"temperature": 0.2}, "history_messages": 4,
    })
}

on_both_engines! {
    async fn an_assistant_lives_through_everything(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let made = owner.post("/api/v1/assistants", translator()).await.good(201);
        for (field, value) in translator().as_object().unwrap() {
            assert_eq!(&made.body[field], value, "{field}");
        }
        let path = format!("/api/v1/assistants/{}", made.id());
        assert_eq!(owner.get(&path).await.good(200).body, made.body);

        let mut profile = translator();
        profile["name"] = json!("Interpreter");
        let change = json!({"profile": profile, "pinned": true});
        let changed = owner.patch(&path, change).await.good(200);
        assert_eq!((&changed.body["name"], &changed.body["pinned"]), (&json!("Interpreter"), &json!(true)));
        let copy = owner.post(&format!("{path}/duplicate"), json!({})).await.good(201);
        assert_eq!((&copy.body["name"], &copy.body["pinned"]), (&json!("Interpreter 2"), &json!(false)));
        assert_eq!(copy.body["role"], "You translate.");

        let file = owner.get("/api/v1/assistants/export").await.good(200).body;
        assert_eq!(file["assistants"].as_array().unwrap().len(), 2);
        let one = owner.get(&format!("/api/v1/assistants/export?id={}", copy.id())).await.good(200).body;
        assert_eq!(one["assistants"].as_array().unwrap().len(), 1);
        owner.delete(&path).await.good(204);
        owner.get(&path).await.is(404, "not_found");
        owner.post(&format!("{path}/restore"), json!({})).await.good(200);
        let again = owner.post("/api/v1/assistants/import", file.clone()).await.good(201);
        let profiles = again.body["items"].as_array().unwrap().iter().map(|item| item["name"].clone());
        assert_eq!(profiles.collect::<Vec<_>>(), ["Interpreter", "Interpreter 2"], "a round trip");
        owner.put("/api/v1/assistants/order", json!({"ids": [copy.id()]})).await.good(204);
        let list = owner.get("/api/v1/assistants").await.good(200).body;
        assert_eq!(list["items"].as_array().unwrap().len(), 4);
        assert_eq!(list["items"][1]["id"], copy.body["id"], "after the pinned one");
    }

    async fn what_does_not_fit_is_refused_by_name(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        for (body, field) in [
            (json!({"name": ""}), "name"),
            (json!({"name": "x", "input_template": "no place"}), "input_template"),
            (json!({"name": "x", "background": "javascript:x"}), "background"),
            (json!({"name": "x", "parameters": {"temperature": 9}}), "parameters"),
        ] {
            let refused = owner.post("/api/v1/assistants", body).await;
            refused.is(422, "invalid_fields");
            assert_eq!(refused.fields(), [field]);
        }
        owner.post("/api/v1/assistants", json!({"name": "x", "owner": 1})).await.is(400, "invalid_request");
        let wrong = json!({"format": "other", "version": 1, "assistants": []});
        assert_eq!(owner.post("/api/v1/assistants/import", wrong).await.fields(), ["format"]);
        let newer = json!({"format": "stoa.assistants", "version": 2, "assistants": []});
        assert_eq!(owner.post("/api/v1/assistants/import", newer).await.fields(), ["version"]);
        // All of a file, or none.
        let half = json!({"format": "stoa.assistants", "version": 1, "assistants": [{"name": "a"}, {"name": ""}]});
        owner.post("/api/v1/assistants/import", half).await.is(422, "invalid_fields");
        assert_eq!(owner.get("/api/v1/assistants").await.good(200).body["items"], json!([]));
        let none = json!({"assistant_id": crate::support::NOBODYS_ID});
        owner.post("/api/v1/conversations", none).await.is(404, "not_found");
    }

    async fn the_model_gets_the_role_and_the_text_in_its_template(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let mock = Mock::start().await.unwrap();
        let allowance = json!({"authority": mock.address().to_string()});
        owner.post("/api/v1/egress/allowances", allowance).await.good(201);
        let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
        let provider = owner.post("/api/v1/providers", new).await.good(201).id();
        let models = json!({"models": [{"name": "echo"}]});
        owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
        let assistant = owner.post("/api/v1/assistants", translator()).await.good(201).id();
        let conversation = owner.post("/api/v1/conversations", json!({"assistant_id": assistant})).await.good(201);
        assert_eq!(conversation.body["model"], "mock/echo");
        assert_eq!(conversation.body["parameters"]["temperature"], 0.2);
        let path = format!("/api/v1/conversations/{}/messages", conversation.id());
        let turn = json!({"parts": [{"type": "text", "text": "Guten Tag"}], "model": "mock/echo"});
        owner.post(&path, turn).await.good(202);
        let answer = async {
            loop {
                let messages = owner.get(&path).await.good(200).body;
                if messages["items"][1]["status"] == "complete" {
                    return messages;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let messages = tokio::time::timeout(std::time::Duration::from_secs(20), answer).await.unwrap();
        assert_eq!(messages["items"][0]["parts"][0]["text"], "Guten Tag", "what was written is kept as it was");
        assert_eq!(messages["items"][1]["parts"][0]["text"], "Translate: Guten Tag", "and the model echoes what it got");
    }
}

//! What people take with them: one conversation, or everything; and that it comes back as it was.

use std::collections::HashMap;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;

use crate::support::{Answer, Browser, House, MEMBER};

/// Sends a file to be imported.
pub(crate) async fn import(browser: &mut Browser, body: impl Into<Body>) -> Answer {
    let request = browser.request(Method::POST, "/api/v1/import").body(body.into()).unwrap();
    browser.exchange(request).await
}

async fn provider(owner: &mut Browser) -> MockServer {
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [{"name": "lorem-5"}]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    mock
}

async fn say(owner: &mut Browser, conversation: &str, parent: Option<Value>, parts: Value) -> Value {
    let mut turn = json!({"parts": parts, "model": "mock/lorem-5"});
    if let Some(parent) = parent {
        turn["parent_id"] = parent;
    }
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let turn = owner.post(&path, turn).await.good(202).body;
    for _ in 0..500 {
        let list = owner.get(&path).await.good(200);
        if list.body["items"].as_array().unwrap().iter().all(|message| message["status"] != "running") {
            return turn;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the answer never ended");
}

/// A conversation with two branches, a thread and a picture, in a project and with an assistant, and one that is archived.
async fn furnish(house: &House, owner: &mut Browser) -> (MockServer, String) {
    let mock = provider(owner).await;
    let assistant = json!({"name": "Sage", "role": "You are wise.", "tags": ["old"]});
    let assistant = owner.post("/api/v1/assistants", assistant).await.good(201).id();
    owner.post("/api/v1/assistant-folders", json!({"name": "Empty / 空"})).await.good(201);
    let folder = owner.post("/api/v1/assistant-folders", json!({"name": "Elders"})).await.good(201).id();
    owner.patch(&format!("/api/v1/assistant-folders/{folder}"), json!({"collapsed": true})).await.good(200);
    owner.put(&format!("/api/v1/assistants/{assistant}/folder"), json!({"folder_id": folder})).await.good(204);
    let variable = json!({"name": "where", "kind": "select", "options": ["here", "there"], "default": "here"});
    let prompt = json!({"name": "Look", "text": "Look {{where}}.", "variables": [variable]});
    owner.post("/api/v1/prompts", prompt).await.good(201);
    let project = json!({"name": "Thesis", "instructions": "Be brief."});
    let project = owner.post("/api/v1/projects", project).await.good(201).id();
    let new = json!({"title": "Engines / 猫", "project_id": project, "assistant_id": assistant});
    let id = owner.post("/api/v1/conversations", new).await.good(201).id();
    let change = json!({"tags": ["x", "茶"], "pinned": true, "role": "Count.", "parameters": {"temperature": 0.5}});
    owner.patch(&format!("/api/v1/conversations/{id}"), change).await.good(200);
    let picture = crate::files::picture(40, 30, image::ImageFormat::Png);
    let file = crate::files::send(owner, "engine.png", "image/png", picture).await.good(201).id();
    let parts = json!([{"type": "text", "text": "What is *this*?"}, {"type": "image", "file_id": file}]);
    let first = say(owner, &id, None, parts).await;
    house.clock.forward(std::time::Duration::from_secs(5));
    say(owner, &id, None, json!([{"type": "text", "text": "Quokka on the old branch"}])).await;
    house.clock.forward(std::time::Duration::from_secs(5));
    let beside = Some(first["reply_id"].clone());
    say(owner, &id, beside, json!([{"type": "text", "text": "Numbat on the new branch"}])).await;
    house.clock.forward(std::time::Duration::from_secs(5));
    let at = format!("/api/v1/messages/{}", first["reply_id"].as_str().unwrap());
    owner.post(&format!("{at}/translation"), json!({"language": "zh"})).await.good(200);
    owner.post(&format!("{at}/summary"), json!({})).await.good(200);
    let thread = owner.post(&format!("{at}/threads"), json!({"with_context": true})).await.good(201).id();
    say(owner, &thread, None, json!([{"type": "text", "text": "Aside\nBilby in a thread"}])).await;
    let other = owner.post("/api/v1/conversations", json!({"title": "Put away"})).await.good(201).id();
    owner.patch(&format!("/api/v1/conversations/{other}"), json!({"archived": true})).await.good(200);
    (mock, id)
}

/// The lines of an archive without what names rows, in an order of their own.
fn shape(archive: &str) -> Vec<String> {
    let lines: Vec<Value> = archive.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let named = |kind: &str| -> HashMap<String, Value> {
        let name = |line: &Value| line.get("name").unwrap_or(&line["profile"]["name"]).clone();
        of(kind).into_iter().map(|line| (line["id"].to_string(), name(line))).collect()
    };
    let (projects, assistants, folders) = (named("project"), named("assistant"), named("assistant_folder"));
    let files: HashMap<String, &Value> = of("file").into_iter().map(|line| (line["id"].to_string(), line)).collect();
    let messages: HashMap<String, &Value> =
        of("message").into_iter().map(|line| (line["id"].to_string(), line)).collect();
    let bare = |message: &Value| {
        let mut message = message.clone();
        for part in message["parts"].as_array_mut().unwrap() {
            if part["type"] == "image" {
                let file = files[&part["file_id"].to_string()];
                part["file_id"] = json!([file["name"], file["media_type"], file["data"]]);
            }
        }
        message
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !matches!(name.as_str(), "id" | "conversation_id" | "parent_id"));
        message
    };
    let way = |id: &Value| {
        let (mut way, mut at) = (Vec::new(), id.to_string());
        while let Some(message) = messages.get(&at) {
            way.push(bare(message));
            at = message["parent_id"].to_string();
        }
        way
    };
    let mut shape: Vec<String> = messages.values().map(|message| json!(way(&message["id"])).to_string()).collect();
    for mut line in of("conversation").into_iter().cloned() {
        let leaf = line["leaf_id"].take();
        line["leaf_id"] = json!(way(&leaf));
        line["project_id"] = projects.get(&line["project_id"].to_string()).cloned().unwrap_or_default();
        line["assistant_id"] = assistants.get(&line["assistant_id"].to_string()).cloned().unwrap_or_default();
        line["id"] = Value::Null;
        if let Some(thread) = line.get_mut("thread") {
            thread["conversation_id"] =
                json!(of("conversation").iter().any(|one| one["id"] == thread["conversation_id"]));
            thread["message_id"] = json!(way(&thread["message_id"]));
        }
        shape.push(line.to_string());
    }
    let order = json!(of("assistant_folder").iter().map(|line| &line["name"]).collect::<Vec<_>>());
    shape.push(order.to_string());
    let kinds = ["project", "assistant_folder", "assistant", "prompt", "end"];
    for mut line in kinds.into_iter().flat_map(of).cloned() {
        line["id"] = Value::Null;
        if let Some(folder) = line.get_mut("folder_id") {
            *folder = folders[&folder.to_string()].clone();
        }
        shape.push(line.to_string());
    }
    shape.sort();
    shape
}

on_both_engines! {
    async fn everything_comes_back_as_it_was_and_never_twice(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, conversation) = furnish(&house, &mut owner).await;
        let archive = owner.get("/api/v1/export").await.good(200);
        assert_eq!(archive.headers["content-type"], "application/x-ndjson");
        assert_eq!(archive.headers["content-disposition"], "attachment; filename*=UTF-8''stoa-2026-01-01.jsonl");
        let head: Value = serde_json::from_str(archive.text.lines().next().unwrap()).unwrap();
        assert_eq!((&head["format"], &head["version"], &head["name"]), (&json!("stoa.archive"), &json!(1), &json!("Ada")));
        let end: Value = serde_json::from_str(archive.text.lines().last().unwrap()).unwrap();
        assert_eq!(end, json!({"type": "end", "conversations": 3, "messages": 8, "files": 1}));

        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let report = import(&mut member, archive.text.clone()).await.good(200).body;
        let all = json!({"conversations": 3, "messages": 8, "projects": 1, "assistant_folders": 2, "assistants": 1, "prompts": 1, "pictures": 1});
        let none = json!({"conversations": 0, "messages": 0, "projects": 0, "assistant_folders": 0, "assistants": 0, "prompts": 0, "pictures": 0});
        assert_eq!(report, json!({"source": "stoa", "made": all, "known": none, "left_out": []}));
        let theirs = member.get("/api/v1/export").await.good(200);
        assert_eq!(shape(&theirs.text), shape(&archive.text));
        let owners: Value = owner.get("/api/v1/conversations").await.good(200).body;
        for id in [owners["items"][0]["id"].as_str().unwrap(), &conversation] {
            assert!(!theirs.text.contains(id), "ids are one person's");
        }
        // What is on a branch that does not show is found too.
        for word in ["quokka", "numbat", "engines", "bilby"] {
            let found = member.get(&format!("/api/v1/search?q={word}")).await.good(200);
            assert_eq!(found.body["items"].as_array().unwrap().len(), 1, "{word}: {}", found.text);
        }
        // The picture is the member's own now.
        let line = theirs.text.lines().find(|line| line.contains("\"type\":\"file\"")).unwrap();
        let file = serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        member.get(&format!("/api/v1/files/{file}")).await.good(200);
        owner.get(&format!("/api/v1/files/{file}")).await.is(404, "not_found");

        let report = import(&mut member, archive.text.clone()).await.good(200).body;
        assert_eq!(report, json!({"source": "stoa", "made": none, "known": all, "left_out": []}));
        let again = member.get("/api/v1/export").await.good(200);
        assert_eq!(again.text, theirs.text);

        // Where it came from, it is there already, and what was deleted comes back.
        owner.delete(&format!("/api/v1/conversations/{conversation}")).await.good(204);
        let report = import(&mut owner, archive.text.clone()).await.good(200).body;
        assert_eq!((&report["made"], &report["known"]), (&none, &all));
        let back = owner.get("/api/v1/export").await.good(200);
        assert_eq!(shape(&back.text), shape(&archive.text));
        assert!(back.text.contains(&conversation));
    }

    async fn what_went_on_after_an_import_is_left_alone_by_the_next(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, _) = furnish(&house, &mut owner).await;
        let before = owner.get("/api/v1/export").await.good(200).text;
        let (mut admin, _) = house.join(&mut owner, MEMBER, "admin").await;
        import(&mut admin, before.clone()).await.good(200);
        let list = admin.get("/api/v1/conversations").await.good(200).body;
        let id = list["items"][0]["id"].as_str().unwrap().to_owned();
        let turn = say(&mut admin, &id, None, json!([{"type": "text", "text": "Wombat afterwards"}])).await;
        import(&mut admin, before).await.good(200);
        let shown = admin.get(&format!("/api/v1/conversations/{id}/messages")).await.good(200).body;
        assert_eq!(shown["leaf_id"], turn["reply_id"]);
        assert_eq!(shown["items"].as_array().unwrap().len(), 6, "{shown}");
    }

    async fn one_conversation_is_a_text_to_read_or_a_document_to_keep(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, id) = furnish(&house, &mut owner).await;
        let path = format!("/api/v1/conversations/{id}/export");
        let markdown = owner.get(&format!("{path}?format=markdown")).await.good(200);
        assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
        assert_eq!(markdown.headers["content-disposition"], "attachment; filename*=UTF-8''Engines%20-%20%E7%8C%AB.md");
        assert!(markdown.text.starts_with("# Engines / 猫\n\n## Ada\n\n*2026-01-01T00:00:00Z*\n\nWhat is *this*?\n\n*[engine.png]*\n\n## mock/lorem-5\n"), "{}", markdown.text);
        assert!(markdown.text.contains("Numbat") && !markdown.text.contains("Quokka"), "{}", markdown.text);
        let hits = owner.get("/api/v1/search?q=quokka").await.good(200).body;
        let other = hits["items"][0]["message_id"].as_str().unwrap().to_owned();
        let branch = owner.get(&format!("{path}?format=markdown&leaf={other}")).await.good(200).text;
        assert!(branch.contains("Quokka") && !branch.contains("Numbat"), "{branch}");
        assert_eq!(branch.matches("\n## ").count(), 4, "{branch}");

        let document = owner.get(&format!("{path}?format=json")).await.good(200);
        assert_eq!(document.body["format"], "stoa.archive");
        let kinds: Vec<&str> = document.body["entries"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "message").count(), 8, "all branches, and the thread");
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("conversation", "end"));
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let report = import(&mut member, document.text).await.good(200).body;
        assert_eq!((&report["made"]["conversations"], &report["made"]["messages"], &report["left_out"]), (&json!(2), &json!(8), &json!([])));
        let list = member.get("/api/v1/conversations").await.good(200).body;
        assert_eq!((&list["items"][0]["assistant_id"], &list["items"][0]["project_id"]), (&Value::Null, &Value::Null));

        owner.get(&path).await.is(400, "invalid_query");
        owner.get(&format!("{path}?format=pdf")).await.is(400, "invalid_query");
        owner.get(&format!("{path}?format=markdown&leaf={}", crate::support::NOBODYS_ID)).await.is(404, "not_found");
    }
}

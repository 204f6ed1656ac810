//! Assistants that others may use: what they get, what they never see, what happens when it is taken back; and folders.

use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;
use stoa_storage::testing::TestDatabase;

use crate::support::{Browser, House, MEMBER, NOBODYS_ID};

const SECRET: &str = "philosophers-stone";

struct Shared {
    house: House,
    owner: Browser,
    member: Browser,
    assistant: String,
    _mock: MockServer,
}

/// An owner with an assistant and a provider, and a member.
async fn shared(test: TestDatabase) -> Shared {
    let (house, mut owner) = House::with_owner(test).await;
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [{"name": "echo"}]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    let profile = json!({
        "name": "Alchemist", "description": "Makes gold", "avatar": "⚗️", "tags": ["metal"],
        "opening_message": "What shall it be?", "opening_questions": ["Gold?"], "role": format!("Your secret: {SECRET}"),
        "input_template": format!("{SECRET}: {{{{text}}}}"), "model": "mock/echo", "parameters": {"temperature": 0.3},
    });
    let assistant = owner.post("/api/v1/assistants", profile).await.good(201).id();
    let (member, _) = house.join(&mut owner, MEMBER, "member").await;
    Shared { house, owner, member, assistant, _mock: mock }
}

impl Shared {
    async fn share(&mut self, with: Value) -> String {
        let path = format!("/api/v1/assistants/{}/shares", self.assistant);
        self.owner.post(&path, with).await.good(201).id()
    }

    async fn seen_by_member(&mut self) -> Vec<Value> {
        let list = self.member.get("/api/v1/assistants/shared").await.good(200);
        assert!(!list.text.contains(SECRET), "{}", list.text);
        list.body["items"].as_array().unwrap().clone()
    }

    /// Says something as the member, and waits for the answer.
    async fn say(&mut self, conversation: &str) -> String {
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let turn = json!({"parts": [{"type": "text", "text": "lead"}], "model": "mock/echo"});
        let reply = self.member.post(&path, turn).await.good(202).body["reply_id"].clone();
        let answer = async {
            loop {
                let messages = self.member.get(&path).await.good(200).body;
                let items = messages["items"].as_array().unwrap();
                let found = items.iter().find(|item| item["id"] == reply).unwrap();
                if found["status"] == "complete" {
                    return found["parts"][0]["text"].as_str().unwrap().to_owned();
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), answer).await.unwrap()
    }

    /// A turn that is refused.
    async fn refused(&mut self, conversation: &str, model: &str) -> (u16, String) {
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let turn = json!({"parts": [{"type": "text", "text": "lead"}], "model": model});
        let answer = self.member.post(&path, turn).await;
        (answer.status.as_u16(), answer.code().to_owned())
    }
}

on_both_engines! {
    async fn whom_it_is_shared_with_may_use_it_and_sees_nothing_of_what_it_is_built_on(test: TestDatabase) {
        let mut all = shared(test).await;
        assert!(all.seen_by_member().await.is_empty());
        let begin = json!({"assistant_id": all.assistant});
        all.member.post("/api/v1/conversations", begin.clone()).await.is(404, "not_found");
        all.share(json!({"kind": "person", "email": MEMBER.to_uppercase()})).await;

        let seen = all.seen_by_member().await;
        assert_eq!(seen.len(), 1);
        let mut fields: Vec<&str> = seen[0].as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        let known = [
            "avatar", "background", "description", "folder_id", "id", "made_by", "model", "name", "opening_message",
            "opening_questions", "parameters", "picture", "tags", "updated_at",
        ];
        assert_eq!(fields, known, "and no other");
        assert_eq!((&seen[0]["name"], &seen[0]["model"]), (&json!("Alchemist"), &json!("mock/echo")));

        let conversation = all.member.post("/api/v1/conversations", begin).await.good(201);
        assert_eq!(conversation.body["model"], "mock/echo");
        let conversation = conversation.id();
        let answer = all.say(&conversation).await;
        assert!(answer.contains(SECRET), "the role and the template are applied on the server: the mock echoes them: {answer}");

        // The mock has told the secret, which no model can be kept from. What the server says never has it.
        let (path, id) = (format!("/api/v1/assistants/{}", all.assistant), all.assistant.clone());
        for (method, path, body) in [
            (Method::GET, path.clone(), None),
            (Method::PATCH, path.clone(), Some(json!({"pinned": true}))),
            (Method::DELETE, path.clone(), None),
            (Method::POST, format!("{path}/duplicate"), Some(json!({}))),
            (Method::POST, format!("{path}/restore"), Some(json!({}))),
            (Method::GET, format!("{path}/shares"), None),
            (Method::POST, format!("{path}/shares"), Some(json!({"kind": "everyone"}))),
            (Method::GET, format!("/api/v1/assistants/export?id={id}"), None),
            (Method::PUT, "/api/v1/assistants/order".to_owned(), Some(json!({"ids": [id]}))),
        ] {
            let answer = all.member.send(method.clone(), &path, body).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{method} {path}");
        }
        let empty = all.member.post("/api/v1/conversations", json!({"assistant_id": id})).await.good(201).id();
        let document = format!("/api/v1/conversations/{empty}/export?format=json");
        for path in ["/api/v1/assistants", "/api/v1/assistants/export", &format!("/api/v1/conversations/{empty}"), &document] {
            let answer = all.member.get(path).await.good(200);
            assert!(!answer.text.contains(SECRET), "{path}: {}", answer.text);
        }
        assert_eq!(all.owner.get(&path).await.good(200).body["shared"], true);
    }

    async fn what_is_taken_back_is_refused_with_the_next_turn_and_one_goes_on_without_it(test: TestDatabase) {
        let mut all = shared(test).await;
        let share = all.share(json!({"kind": "role", "role": "member"})).await;
        assert_eq!(all.share(json!({"kind": "role", "role": "member"})).await, share, "once is enough");
        let begin = json!({"assistant_id": all.assistant});
        let conversation = all.member.post("/api/v1/conversations", begin.clone()).await.good(201).id();
        all.say(&conversation).await;
        let shares = all.owner.get(&format!("/api/v1/assistants/{}/shares", all.assistant)).await.good(200);
        assert_eq!(shares.body["items"][0]["with"], json!({"kind": "role", "role": "member"}));

        all.member.delete(&format!("/api/v1/assistant-shares/{share}")).await.is(404, "not_found");
        all.owner.delete(&format!("/api/v1/assistant-shares/{share}")).await.good(204);
        assert!(all.seen_by_member().await.is_empty());
        assert_eq!(all.refused(&conversation, "mock/echo").await, (409, "assistant_gone".to_owned()));
        all.member.post("/api/v1/conversations", begin).await.is(404, "not_found");
        let messages = all.member.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200);
        assert_eq!(messages.body["items"].as_array().unwrap().len(), 2, "nothing of the refused turn is kept");

        let path = format!("/api/v1/conversations/{conversation}");
        let without = all.member.patch(&path, json!({"without_assistant": true})).await.good(200);
        assert_eq!(without.body["assistant_id"], Value::Null);
        assert_eq!(all.say(&conversation).await, "lead", "and the model gets what was written");
    }

    async fn what_its_owner_deletes_is_gone_for_others_for_good(test: TestDatabase) {
        let mut all = shared(test).await;
        all.share(json!({"kind": "everyone"})).await;
        let begin = json!({"assistant_id": all.assistant});
        let theirs = all.member.post("/api/v1/conversations", begin.clone()).await.good(201).id();
        let own = all.owner.post("/api/v1/conversations", begin).await.good(201).id();
        let path = format!("/api/v1/assistants/{}", all.assistant);
        all.owner.delete(&path).await.good(204);
        assert!(all.seen_by_member().await.is_empty());
        assert_eq!(all.refused(&theirs, "mock/echo").await, (409, "assistant_gone".to_owned()));
        all.owner.post(&format!("{path}/restore"), json!({})).await.good(200);
        assert_eq!(all.seen_by_member().await.len(), 1, "shared as before");
        all.owner.delete(&path).await.good(204);
        all.house.clock.forward(std::time::Duration::from_hours(24 * 40));
        all.house.chat.sweep().await.unwrap();
        all.owner = all.house.signed_in(crate::support::OWNER).await;
        all.member = all.house.signed_in(MEMBER).await;
        assert_eq!(all.refused(&theirs, "mock/echo").await, (409, "assistant_gone".to_owned()));
        let own = all.owner.get(&format!("/api/v1/conversations/{own}")).await.good(200);
        assert_eq!(own.body["assistant_id"], Value::Null, "its owner's own go on without it");
    }

    async fn a_share_lends_no_provider_and_hands_nothing_to_a_browser(test: TestDatabase) {
        let mut all = shared(test).await;
        let personal = |name: &str| json!({"name": name, "slug": "lab", "base_url": "http://127.0.0.1:9"});
        let models = json!({"models": [{"name": "own"}]});
        let mine = all.owner.post("/api/v1/personal-providers", personal("Mine")).await.good(201).id();
        all.owner.put(&format!("/api/v1/personal-providers/{mine}/models"), models.clone()).await.good(200);
        let profile = json!({"name": "Alchemist", "role": SECRET, "model": "~lab/own"});
        let path = format!("/api/v1/assistants/{}", all.assistant);
        all.owner.patch(&path, json!({"profile": profile})).await.good(200);
        all.share(json!({"kind": "everyone"})).await;

        assert_eq!(all.seen_by_member().await[0]["model"], Value::Null, "the owner's browser is nobody else's");
        let begin = json!({"assistant_id": all.assistant});
        let conversation = all.member.post("/api/v1/conversations", begin).await.good(201);
        assert_eq!(conversation.body["model"], Value::Null);
        // The member has a provider of that very name: its calls would hold the role for the member to read.
        let theirs = all.member.post("/api/v1/personal-providers", personal("Theirs")).await.good(201).id();
        all.member.put(&format!("/api/v1/personal-providers/{theirs}/models"), models).await.good(200);
        let refused = all.refused(&conversation.id(), "~lab/own").await;
        assert_eq!(refused, (409, "assistant_not_here".to_owned()));
        let own = all.owner.post("/api/v1/conversations", json!({"assistant_id": all.assistant})).await.good(201).id();
        let turn = json!({"parts": [{"type": "text", "text": "lead"}], "model": "~lab/own"});
        let turn = all.owner.post(&format!("/api/v1/conversations/{own}/messages"), turn).await.good(202);
        assert!(turn.body["call"]["body"].as_str().unwrap().contains(SECRET), "its owner may see it");
    }

    async fn a_share_needs_somebody_who_is_there(test: TestDatabase) {
        let mut all = shared(test).await;
        let path = format!("/api/v1/assistants/{}/shares", all.assistant);
        let nobody = json!({"kind": "person", "email": "nobody@example.org"});
        all.owner.post(&path, nobody).await.is(409, "no_such_person");
        let oneself = json!({"kind": "person", "email": crate::support::OWNER});
        all.owner.post(&path, oneself).await.is(409, "refused");
        let long = json!({"kind": "person", "email": "x".repeat(321)});
        assert_eq!(all.owner.post(&path, long).await.fields(), ["email"]);
        all.owner.post(&path, json!({"kind": "planet"})).await.is(400, "invalid_request");
        all.owner.post(&format!("/api/v1/assistants/{NOBODYS_ID}/shares"), json!({"kind": "everyone"})).await.is(404, "not_found");
        // A role reaches those who have it, and nobody else.
        all.share(json!({"kind": "role", "role": "admin"})).await;
        assert!(all.seen_by_member().await.is_empty());
    }

    async fn folders_are_everybodys_own(test: TestDatabase) {
        let mut all = shared(test).await;
        all.share(json!({"kind": "everyone"})).await;
        let new = |name: &str| json!({"name": name});
        let work = all.member.post("/api/v1/assistant-folders", new(" Work ")).await.good(201);
        assert_eq!(work.body["name"], "Work");
        let play = all.member.post("/api/v1/assistant-folders", new("Play")).await.good(201).id();
        assert_eq!(all.member.post("/api/v1/assistant-folders", new(" ")).await.fields(), ["name"]);
        let own = all.member.post("/api/v1/assistants", new("Own")).await.good(201).id();
        for id in [&own, &all.assistant] {
            all.member.put(&format!("/api/v1/assistants/{id}/folder"), json!({"folder_id": play})).await.good(204);
            all.member.put(&format!("/api/v1/assistants/{id}/folder"), json!({"folder_id": work.id()})).await.good(204);
        }
        assert_eq!(all.member.get(&format!("/api/v1/assistants/{own}")).await.good(200).body["folder_id"], work.id());
        assert_eq!(all.seen_by_member().await[0]["folder_id"], work.id());
        let of_owner = all.owner.get(&format!("/api/v1/assistants/{}", all.assistant)).await.good(200);
        assert_eq!(of_owner.body["folder_id"], Value::Null, "where others keep it is theirs");
        // Nobody puts anything into a folder of somebody else's, nor something they may not use.
        all.owner.put(&format!("/api/v1/assistants/{}/folder", all.assistant), json!({"folder_id": play})).await.is(404, "not_found");
        all.owner.put(&format!("/api/v1/assistants/{own}/folder"), json!({})).await.is(404, "not_found");

        let path = format!("/api/v1/assistant-folders/{play}");
        let change = json!({"name": "Games", "collapsed": true});
        let changed = all.member.patch(&path, change).await.good(200).body;
        assert_eq!((&changed["name"], &changed["collapsed"]), (&json!("Games"), &json!(true)));
        all.owner.patch(&path, json!({"collapsed": false})).await.is(404, "not_found");
        all.member.put("/api/v1/assistant-folders/order", json!({"ids": [play]})).await.good(204);
        let list = all.member.get("/api/v1/assistant-folders").await.good(200).body;
        let names = |list: &Value| list["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&list), ["Games", "Work"]);
        all.member.delete(&format!("/api/v1/assistant-folders/{}", work.id())).await.good(204);
        assert_eq!(all.member.get(&format!("/api/v1/assistants/{own}")).await.good(200).body["folder_id"], Value::Null);
        all.member.put(&format!("/api/v1/assistants/{own}/folder"), json!({"folder_id": play})).await.good(204);
        all.member.put(&format!("/api/v1/assistants/{own}/folder"), json!({})).await.good(204);
        assert_eq!(all.member.get(&format!("/api/v1/assistants/{own}")).await.good(200).body["folder_id"], Value::Null);
    }

    async fn a_model_writes_the_details_of_a_role(test: TestDatabase) {
        let mut all = shared(test).await;
        // The mock echoes what it is shown.
        let role = json!({"name": "Translator", "emoji": "🌐", "tags": ["language"]}).to_string();
        let ask = |role: &str, model: &str| json!({"role": role, "model": model, "language": "en"});
        let path = "/api/v1/assistants/details";
        let details = all.member.post(path, ask(&role, "mock/echo")).await.good(200).body;
        assert_eq!((&details["name"], &details["avatar"]), (&json!("Translator"), &json!("🌐")));
        assert_eq!((&details["description"], &details["tags"]), (&json!(""), &json!(["language"])));
        all.member.post(path, ask("Be brief.", "mock/echo")).await.is(502, "nothing_usable");
        all.member.post(path, ask("Be brief.", "mock/none")).await.is(404, "model_not_found");
        assert_eq!(all.member.post(path, ask(" ", "mock/echo")).await.fields(), ["role"]);
        assert_eq!(all.member.post(path, ask(&"x".repeat(65 * 1024), "mock/echo")).await.fields(), ["role"]);
        assert_eq!(all.member.post(path, ask("Be brief.", "echo")).await.fields(), ["model"]);
    }

    async fn a_picture_is_a_face_for_those_who_may_see_the_assistant(test: TestDatabase) {
        let mut all = shared(test).await;
        let path = format!("/api/v1/assistants/{}", all.assistant);
        let picture = crate::files::picture(600, 300, image::ImageFormat::Png);
        let put = async |browser: &mut Browser, bytes: Vec<u8>| {
            let request = browser.request(Method::PUT, &format!("{path}/picture"));
            browser.exchange(request.body(bytes.into()).unwrap()).await
        };
        put(&mut all.owner, b"no picture".to_vec()).await.is(415, "not_a_picture");
        put(&mut all.owner, Vec::new()).await.is(422, "picture_empty");
        put(&mut all.member, picture.clone()).await.is(404, "not_found");
        let made = put(&mut all.owner, picture.clone()).await.good(200);
        let version = made.body["picture"].as_str().unwrap().to_owned();

        let shown = format!("{path}/picture?v={version}");
        let face = all.owner.get(&shown).await.good(200);
        let seen = image::load_from_memory(&face.bytes).unwrap();
        assert_eq!((seen.width(), seen.height()), (192, 192));
        let policy = face.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && face.headers["cache-control"].to_str().unwrap().starts_with("private"));
        all.member.get(&shown).await.is(404, "not_found");
        let share = all.share(json!({"kind": "everyone"})).await;
        assert_eq!(all.member.get(&shown).await.good(200).bytes, face.bytes);
        assert_eq!(all.seen_by_member().await[0]["picture"], version);
        all.member.delete(&format!("{path}/picture")).await.is(404, "not_found");
        all.owner.delete(&format!("/api/v1/assistant-shares/{share}")).await.good(204);
        all.member.get(&shown).await.is(404, "not_found");

        // A copy, a file and an archive have it too, and the same.
        let copy = all.owner.post(&format!("{path}/duplicate"), json!({})).await.good(201);
        assert_eq!(copy.body["picture"], version);
        let file = all.owner.get("/api/v1/assistants/export").await.good(200).body;
        let brought = all.member.post("/api/v1/assistants/import", file.clone()).await.good(201);
        let id = brought.body["items"][0]["id"].as_str().unwrap();
        assert_eq!(all.member.get(&format!("/api/v1/assistants/{id}/picture")).await.good(200).bytes, face.bytes);
        let mut spoilt = file;
        spoilt["assistants"][1]["picture"] = json!("bm8gcGljdHVyZQ==");
        all.member.post("/api/v1/assistants/import", spoilt.clone()).await.is(415, "not_a_picture");
        spoilt["assistants"][1]["unknown"] = json!(1);
        all.member.post("/api/v1/assistants/import", spoilt).await.is(400, "invalid_request");
        assert_eq!(all.member.get("/api/v1/assistants").await.good(200).body["items"].as_array().unwrap().len(), 2);
        let archive = all.owner.get("/api/v1/export").await.good(200);
        let (mut charles, _) = all.house.join(&mut all.owner, "second@example.org", "member").await;
        let report = crate::exports::import(&mut charles, archive.bytes.clone()).await.good(200).body;
        assert_eq!((&report["made"]["assistants"], &report["left_out"]), (&json!(2), &json!([])));
        let list = charles.get("/api/v1/assistants").await.good(200).body;
        assert!(list["items"].as_array().unwrap().iter().all(|item| item["picture"] == version), "{list}");

        // What is some face stays, and what is nobody's goes.
        all.owner.delete(&format!("{path}/picture")).await.good(200);
        all.owner.get(&shown).await.is(404, "not_found");
        for _ in 0..2 {
            all.house.clock.forward(std::time::Duration::from_hours(3));
            all.house.chat.sweep().await.unwrap();
        }
        assert_eq!(all.owner.get(&format!("/api/v1/assistants/{}/picture", copy.id())).await.good(200).bytes, face.bytes);
    }
}

//! Providers that only their owner's browser calls, and the answers that it writes.

use http::Method;
use serde_json::{Value, json};
use stoa_server::AppOptions;
use stoa_storage::on_both_engines;

use crate::support::{Browser, House, MEMBER};

const SECRET: &str = "sk-only-for-my-browser";

/// A provider with one model, and a conversation.
async fn ready(browser: &mut Browser) -> (String, String) {
    let new = json!({"name": "My Mac", "slug": "mac", "base_url": "http://127.0.0.1:8080/v1/", "api_key": SECRET});
    let provider = browser.post("/api/v1/personal-providers", new).await.good(201);
    assert_eq!(provider.body["has_api_key"], true);
    let models = json!({"models": [{"name": "llama", "context_window": 8192, "prices": {"input": 1_000_000, "output": 2_000_000}}]});
    browser.put(&format!("/api/v1/personal-providers/{}/models", provider.id()), models).await.good(200);
    let conversation = browser.post("/api/v1/conversations", json!({"title": "At home"})).await.good(201).id();
    (provider.id(), conversation)
}

async fn ask(browser: &mut Browser, conversation: &str) -> Value {
    let turn = json!({
        "parts": [{"type": "text", "text": "Who are you?"}], "model": "~mac/llama", "parameters": {"temperature": 0.5}
    });
    browser.post(&format!("/api/v1/conversations/{conversation}/messages"), turn).await.good(202).body
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn deltas(first: u64, texts: &[&str]) -> Value {
    let deltas: Vec<_> = texts.iter().map(|text| json!({"part": "text", "text": text})).collect();
    json!({"first_seq": first, "deltas": deltas})
}

async fn answer(browser: &mut Browser, conversation: &str) -> Value {
    let page = browser.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200);
    page.body["items"].as_array().unwrap().last().unwrap().clone()
}

on_both_engines! {
    async fn an_answer_is_called_for_and_written_by_its_owners_browser(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let (_, conversation) = ready(&mut owner).await;
        let models = owner.get("/api/v1/models").await.good(200).body;
        let mine = models["items"].as_array().unwrap().iter().find(|model| model["id"] == "~mac/llama").unwrap();
        assert_eq!((&mine["in_browser"], &mine["provider"]), (&json!(true), &json!("My Mac")));

        let turn = ask(&mut owner, &conversation).await;
        let call = &turn["call"];
        assert_eq!(text(&call["url"]), "http://127.0.0.1:8080/v1/chat/completions");
        assert_eq!(text(&call["api_key"]), SECRET);
        let body: Value = serde_json::from_str(text(&call["body"])).unwrap();
        assert_eq!((&body["model"], &body["stream"], &body["temperature"]), (&json!("llama"), &json!(true), &json!(0.5)));
        assert_eq!(body["messages"], json!([{"role": "user", "content": "Who are you?"}]));

        let upload = format!("/api/v1/generations/{}/deltas", text(&turn["generation_id"]));
        let kept = owner.post(&upload, deltas(1, &["I am ", "a llama"])).await.good(200).body;
        assert_eq!(kept, json!({"last_seq": 2, "running": true}));
        assert_eq!(answer(&mut owner, &conversation).await["status"], "running");
        // The answer to that was lost, and so it comes again with more.
        let again = owner.post(&upload, deltas(1, &["I am ", "a llama", " at home"])).await.good(200).body;
        assert_eq!(again["last_seq"], 3);
        owner.post(&upload, deltas(9, &["?"])).await.is(409, "refused");
        let alive = owner.post(&upload, json!({"deltas": []})).await.good(200).body;
        assert_eq!(alive, json!({"last_seq": 3, "running": true}));

        let mut end = deltas(4, &["."]);
        end["end"] = json!({
            "reason": {"kind": "finished", "reason": "stop"}, "first_token_ms": 12, "total_ms": 340,
            "usage": {"prompt_tokens": 1000, "completion_tokens": 500}
        });
        let ended = owner.post(&upload, end).await.good(200).body;
        assert_eq!(ended, json!({"last_seq": 4, "running": false}));
        let message = answer(&mut owner, &conversation).await;
        assert_eq!(message["parts"], json!([{"type": "text", "text": "I am a llama at home."}]));
        assert_eq!((&message["status"], &message["finish_reason"]), (&json!("complete"), &json!("stop")));
        assert_eq!(message["timings"]["first_token_ms"], 12);
        assert_eq!(message["usage"]["cost"], 2_000_000, "1,000 at 1 $ and 500 at 2 $ a million");
        // What comes late is left aside.
        let late = owner.post(&upload, deltas(5, &["!"])).await.good(200).body;
        assert_eq!(late, json!({"last_seq": 4, "running": false}));
        assert_eq!(answer(&mut owner, &conversation).await["parts"], message["parts"]);
        assert!(owner.get("/api/v1/search?q=llama").await.text.contains("at home"));

        let usage = owner.get("/api/v1/usage").await.good(200).body;
        assert_eq!(usage["days"][0]["model"], "~mac/llama");
        assert_eq!(usage["days"][0]["prompt_tokens"], 1000, "{usage}");
        let everybody = owner.get("/api/v1/usage?of=everybody").await.good(200).body;
        assert_eq!(everybody["days"], json!([]), "what a browser claims is nobody's but its owner's");
    }

    async fn titles_and_translations_are_asked_for_by_the_browser_too(test: TestDatabase) {
        let (house, mut owner) = House::titled(test).await;
        let (_, conversation) = ready(&mut owner).await;
        let untitled = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        let path = format!("/api/v1/conversations/{untitled}");
        owner.post(&format!("{path}/title/call"), json!({})).await.is(404, "not_found");
        let turn = ask(&mut owner, &untitled).await;
        let reply = format!("/api/v1/messages/{}/translation", text(&turn["reply_id"]));
        let wish = json!({"language": "zh", "model": "~mac/llama"});
        owner.post(&format!("{reply}/call"), wish.clone()).await.is(409, "answer_running");
        let mut said = deltas(1, &["I am Llama."]);
        said["end"] = json!({"reason": {"kind": "finished", "reason": "stop"}});
        owner.post(&format!("/api/v1/generations/{}/deltas", text(&turn["generation_id"])), said).await.good(200);

        let call = owner.post(&format!("{path}/title/call"), json!({})).await.good(200).body;
        assert_eq!((text(&call["url"]), text(&call["api_key"])), ("http://127.0.0.1:8080/v1/chat/completions", SECRET));
        let body: Value = serde_json::from_str(text(&call["body"])).unwrap();
        let asked = text(&body["messages"][0]["content"]);
        assert!(asked.starts_with("User: Who are you?\n\nAssistant: I am Llama.\n\nWrite a title"), "{asked}");
        let title = async |owner: &mut Browser| owner.get(&path).await.good(200).body["title"].clone();
        owner.put(&format!("{path}/title"), json!({"text": "```python"})).await.good(204);
        assert_eq!(title(&mut owner).await, "Who are you?", "what is no title is left aside");
        owner.put(&format!("{path}/title"), json!({"text": "x".repeat(1_001)})).await.is(422, "invalid_fields");
        owner.put(&format!("{path}/title"), json!({"text": "\"An introduction.\""})).await.good(204);
        assert_eq!(title(&mut owner).await, "An introduction");
        owner.patch(&path, json!({"title": "Mine"})).await.good(200);
        owner.put(&format!("{path}/title"), json!({"text": "Another"})).await.good(204);
        assert_eq!(title(&mut owner).await, "Mine", "what its owner calls it stays");

        let call = owner.post(&format!("{reply}/call"), wish.clone()).await.good(200).body;
        let body: Value = serde_json::from_str(text(&call["body"])).unwrap();
        assert!(text(&body["messages"][0]["content"]).contains("Simplified Chinese"), "{body}");
        assert_eq!(body["messages"][1]["content"], "I am Llama.");
        let brought = json!({"language": "zh", "model": "~mac/llama", "text": " 我是羊驼。\n"});
        let kept = owner.put(&reply, brought.clone()).await.good(200).body["translation"].clone();
        assert_eq!(kept, json!({"language": "zh", "model": "~mac/llama", "text": "我是羊驼。"}));
        assert_eq!(answer(&mut owner, &untitled).await["translation"], kept);
        // Models of others, and shared ones, are not for this; nor is a program.
        for model in ["~mac/none", "~other/llama", "mock/llama"] {
            let wish = json!({"language": "zh", "model": model});
            owner.post(&format!("{reply}/call"), wish).await.is(404, "not_found");
            let brought = json!({"language": "zh", "model": model, "text": "x"});
            owner.put(&reply, brought).await.is(404, "not_found");
        }
        owner.post(&format!("/api/v1/conversations/{conversation}/title/call"), json!({})).await.is(404, "not_found");
        let key = json!({"name": "k", "scopes": ["account", "infer"]});
        let key = owner.post("/api/v1/api-keys", key).await.good(201).body;
        let mut program = house.program(text(&key["key"]));
        program.post(&format!("{reply}/call"), wish).await.is(404, "not_found");
    }

    async fn whoever_stops_it_ends_it_at_once_and_the_browser_hears_so(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_, conversation) = ready(&mut owner).await;
        let turn = ask(&mut owner, &conversation).await;
        let generation = text(&turn["generation_id"]).to_owned();
        let upload = format!("/api/v1/generations/{generation}/deltas");
        owner.post(&upload, deltas(1, &["Once"])).await.good(200);
        let mut elsewhere = house.signed_in(crate::support::OWNER).await;
        elsewhere.delete(&format!("/api/v1/generations/{generation}")).await.good(204);
        let message = answer(&mut owner, &conversation).await;
        assert_eq!((&message["status"], &message["parts"][0]["text"]), (&json!("stopped"), &json!("Once")));
        assert_eq!(owner.post(&upload, deltas(2, &[" upon"])).await.good(200).body["running"], false);
        // It can go on, by the browser again, with what is there.
        let reply = text(&turn["reply_id"]);
        let more = owner.post(&format!("/api/v1/messages/{reply}/continue"), json!({})).await.good(202).body;
        assert!(text(&more["call"]["body"]).contains("Once"), "{more}");
        let upload = format!("/api/v1/generations/{}/deltas", text(&more["generation_id"]));
        let failed = json!({
            "deltas": [],
            "end": {"reason": {"kind": "failed", "fault": "not_allowed", "detail": "CORS"}}
        });
        owner.post(&upload, failed).await.good(200);
        let message = answer(&mut owner, &conversation).await;
        assert_eq!((&message["status"], &message["error"]["code"]), (&json!("failed"), &json!("browser_not_allowed")));
        assert_eq!(message["parts"][0]["text"], "Once");
    }

    async fn nobody_else_writes_it_or_sees_its_key_not_even_a_program_of_its_owner(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (provider, conversation) = ready(&mut owner).await;
        let listed = owner.get("/api/v1/personal-providers").await.good(200);
        assert!(listed.body["allowed"] == true && !listed.text.contains(SECRET), "{}", listed.text);
        let connection = format!("/api/v1/personal-providers/{provider}/connection");
        let told = owner.get(&connection).await.good(200).body;
        assert_eq!((text(&told["api_key"]), text(&told["models_url"])), (SECRET, "http://127.0.0.1:8080/v1/models"));

        let turn = ask(&mut owner, &conversation).await;
        let upload = format!("/api/v1/generations/{}/deltas", text(&turn["generation_id"]));
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        member.post(&upload, deltas(1, &["lies"])).await.is(404, "not_found");
        member.get(&connection).await.is(404, "not_found");
        let key = json!({"name": "k", "scopes": ["account", "infer"]});
        let key = owner.post("/api/v1/api-keys", key).await.good(201).body;
        let mut program = house.program(text(&key["key"]));
        program.get(&connection).await.is(403, "forbidden");
        program.post(&upload, deltas(1, &["lies"])).await.is(403, "forbidden");
        assert!(!program.get("/api/v1/models").await.good(200).text.contains("~mac"));
        assert!(!program.get("/v1/models").await.good(200).text.contains("~mac"));
        // A turn that a program begins is handed no key: for it, there is no such model.
        let new = json!({"parts": [{"type": "text", "text": "hi"}], "model": "~mac/llama"});
        let theirs = owner.post("/api/v1/conversations", json!({})).await.good(201).id();
        let begun = program.post(&format!("/api/v1/conversations/{theirs}/messages"), new).await.good(202);
        assert!(begun.body.get("call").is_none(), "{}", begun.text);
        let own = format!("/api/v1/generations/{}/deltas", text(&begun.body["generation_id"]));
        let refused = owner.post(&own, deltas(1, &["x"])).await;
        assert!(refused.status == 404 || refused.body["running"] == false, "the server writes this one: {}", refused.text);
    }

    async fn the_page_may_connect_to_ones_own_providers_only(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let page = owner.get("/").await.good(200);
        assert!(page.headers["content-security-policy"].to_str().unwrap().contains("connect-src 'self';"));
        let (provider, _) = ready(&mut owner).await;
        let page = owner.get("/settings/profile").await.good(200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("connect-src 'self' http://127.0.0.1:8080;"), "{policy}");
        assert!(page.headers.get("etag").is_none() && page.headers["cache-control"] == "no-store");
        let stranger = house.browser().get("/").await.good(200);
        assert!(stranger.headers["content-security-policy"].to_str().unwrap().contains("connect-src 'self';"));
        let (mut member, _) = house.join(&mut owner, MEMBER, "member").await;
        let theirs = member.get("/").await.good(200);
        assert!(theirs.headers["content-security-policy"].to_str().unwrap().contains("connect-src 'self';"));
        owner.delete(&format!("/api/v1/personal-providers/{provider}")).await.good(204);
        let page = owner.get("/").await.good(200);
        assert!(page.headers["content-security-policy"].to_str().unwrap().contains("connect-src 'self';"));
    }

    async fn what_cannot_be_a_provider_of_ones_own_is_refused_by_field(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let (provider, _) = ready(&mut owner).await;
        let list = "/api/v1/personal-providers";
        let new = |slug: &str, url: &str| json!({"name": "X", "slug": slug, "base_url": url});
        owner.post(list, new("mac", "http://127.0.0.1:1")).await.is(409, "slug_taken");
        for (slug, url) in [("~x", "http://127.0.0.1:1"), ("x", "javascript:alert(1)"), ("x", "http://a:b@127.0.0.1")] {
            owner.post(list, new(slug, url)).await.is(422, "invalid_fields");
        }
        let models = format!("{list}/{provider}/models");
        let stand_in = json!({"models": [{"name": "m", "stand_in": "openai/gpt"}]});
        owner.put(&models, stand_in).await.is(422, "invalid_fields");
        let change = json!({"name": "Renamed", "api_key": null});
        let changed = owner.send(Method::PATCH, &format!("{list}/{provider}"), Some(change)).await.good(200).body;
        assert_eq!((&changed["name"], &changed["has_api_key"]), (&json!("Renamed"), &json!(false)));
        assert_eq!(changed["models"][0]["name"], "llama", "what was not named stays");
        for n in 0..19 {
            owner.post(list, new(&format!("p{n}"), "http://127.0.0.1:1")).await.good(201);
        }
        owner.post(list, new("p19", "http://127.0.0.1:1")).await.is(409, "refused");
    }

    async fn where_they_are_switched_off_nothing_of_them_works(test: TestDatabase) {
        let house = House::open(test, AppOptions::default()).await;
        let mut owner = house.browser();
        owner.post("/api/v1/setup", house.setup()).await.good(201);
        assert_eq!(owner.get("/api/v1/personal-providers").await.good(200).body["allowed"], false);
        let new = json!({"name": "X", "slug": "x", "base_url": "http://127.0.0.1:1"});
        owner.post("/api/v1/personal-providers", new).await.is(403, "personal_providers_off");
    }
}

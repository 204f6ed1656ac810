//! Conversations shown by a link: to whom, how much of them, for how long, and what never shows.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::on_both_engines;

use crate::support::{Browser, House, MEMBER, NOBODYS_ID, OWNER};

const SECRET: &str = "You never say the word xyzzy.";

/// A conversation of the owner's with a picture, an answer, and a role that is nobody's business.
async fn conversation(owner: &mut Browser) -> (MockServer, String, String) {
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [{"name": "lorem-5"}]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    let assistant = owner.post("/api/v1/assistants", json!({"name": "Secretive", "role": SECRET})).await.good(201).id();
    let new = json!({"title": "Engines", "assistant_id": assistant});
    let id = owner.post("/api/v1/conversations", new).await.good(201).id();
    let change = json!({"role": SECRET, "parameters": {"temperature": 0.123}});
    owner.patch(&format!("/api/v1/conversations/{id}"), change).await.good(200);
    let picture = crate::files::picture(40, 30, image::ImageFormat::Png);
    let file = crate::files::send(owner, "engine.png", "image/png", picture).await.good(201).id();
    say(owner, &id, json!([{"type": "text", "text": "What is this?"}, {"type": "image", "file_id": file}])).await;
    (mock, id, file)
}

async fn say(owner: &mut Browser, conversation: &str, parts: Value) {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    owner.post(&path, json!({"parts": parts, "model": "mock/lorem-5"})).await.good(202);
    for _ in 0..500 {
        let list = owner.get(&path).await.good(200);
        if list.body["items"].as_array().unwrap().iter().all(|message| message["status"] != "running") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer never ended");
}

async fn share(owner: &mut Browser, conversation: &str, body: Value) -> (String, String) {
    let made = owner.post(&format!("/api/v1/conversations/{conversation}/shares"), body).await.good(201);
    let token = made.body["token"].as_str().unwrap();
    assert_eq!(made.body["path"], format!("/share/{token}"));
    assert_eq!(token.len(), 43, "256 bits");
    (made.id(), format!("/api/v1/shared/{token}"))
}

async fn texts(browser: &mut Browser, link: &str) -> Vec<Value> {
    browser.get(&format!("{link}/messages")).await.good(200).body["items"].as_array().unwrap().clone()
}

on_both_engines! {
    async fn a_link_for_everyone_shows_the_branch_as_it_was_and_nothing_beside_it(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, id, file) = conversation(&mut owner).await;
        let everyone = json!({"audience": "everyone"});
        let shares = format!("/api/v1/conversations/{id}/shares");
        owner.post(&shares, everyone.clone()).await.is(409, "public_links_off");
        owner.put("/api/v1/sharing", json!({"public_links": true})).await.good(200);
        let (share_id, link) = share(&mut owner, &id, everyone).await;
        say(&mut owner, &id, json!([{"type": "text", "text": "Said afterwards"}])).await;

        let mut nobody = house.browser();
        let page = nobody.get(&link).await.good(200);
        assert_eq!((&page.body["title"], &page.body["owner"], &page.body["messages"]), (&json!("Engines"), &json!("Ada"), &json!(2)));
        assert_eq!(page.headers["x-robots-tag"], "noindex, nofollow");
        assert_eq!(page.headers["cache-control"], "no-store");
        let shown = nobody.get(&format!("{link}/messages")).await.good(200);
        let items = shown.body["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["parts"][0]["text"], &items[1]["model"]), (2, &json!("What is this?"), &json!("mock/lorem-5")));
        for secret in [SECRET, OWNER, "0.123", "Said afterwards", "Secretive", id.as_str()] {
            assert!(!page.text.contains(secret) && !shown.text.contains(secret), "{secret}: {}", shown.text);
        }
        // The picture is reached by the link alone, and no other file is.
        let picture = nobody.get(&format!("{link}/files/{file}?size=small")).await.good(200);
        assert_eq!((&picture.headers["content-type"], &picture.headers["cache-control"]), (&"image/png".parse().unwrap(), &"no-store".parse().unwrap()));
        assert!(picture.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
        nobody.get(&format!("/api/v1/files/{file}")).await.is(401, "unauthenticated");
        let other = crate::files::send(&mut owner, "x.png", "image/png", crate::files::picture(9, 9, image::ImageFormat::Png)).await.good(201).id();
        nobody.get(&format!("{link}/files/{other}")).await.is(404, "not_found");
        nobody.get(&format!("{link}/files/{NOBODYS_ID}")).await.is(404, "not_found");
        // The page is for those who have its address.
        let html = nobody.get(&link.replace("/api/v1/shared/", "/share/")).await;
        assert_eq!(html.headers["x-robots-tag"], "noindex, nofollow");
        assert!(html.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        // Taken again, it has what was said since.
        owner.patch(&format!("/api/v1/shares/{share_id}"), json!({"retake": true})).await.good(200);
        assert_eq!(texts(&mut nobody, &link).await.len(), 4);
        assert_eq!(nobody.get(&format!("{link}/messages?from=1&limit=2")).await.good(200).body["has_more"], true);
        // An administrator switches such links off, and on again.
        owner.put("/api/v1/sharing", json!({"public_links": false})).await.good(200);
        for path in [link.clone(), format!("{link}/messages"), format!("{link}/files/{file}")] {
            nobody.get(&path).await.is(404, "not_found");
        }
        owner.put("/api/v1/sharing", json!({"public_links": true})).await.good(200);
        nobody.get(&link).await.good(200);
        // Ended, it is gone at once.
        owner.delete(&format!("/api/v1/shares/{share_id}")).await.good(204);
        for path in [link.clone(), format!("{link}/messages"), format!("{link}/files/{file}")] {
            nobody.get(&path).await.is(404, "not_found");
        }
        assert_eq!(owner.get("/api/v1/shares").await.good(200).body["items"], json!([]));
    }

    async fn a_link_for_members_asks_who_one_is_and_ends_in_its_time(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, id, _) = conversation(&mut owner).await;
        let (mut member, member_id) = house.join(&mut owner, MEMBER, "member").await;
        let past = json!({"audience": "members", "expires_at": "2020-01-01T00:00:00Z"});
        assert_eq!(owner.post(&format!("/api/v1/conversations/{id}/shares"), past).await.fields(), ["expires_at"]);
        let body = json!({"audience": "members", "expires_at": house.clock.later(Duration::from_hours(1))});
        let (share_id, link) = share(&mut owner, &id, body).await;
        house.browser().get(&link).await.is(401, "unauthenticated");
        house.browser().get(&format!("{link}/messages")).await.is(401, "unauthenticated");
        member.get(&link).await.good(200);
        let key = member.post("/api/v1/api-keys", json!({"name": "infer"})).await.good(201);
        house.program(key.body["key"].as_str().unwrap()).get(&link).await.is(403, "forbidden");
        for wrong in ["", "x", &"A".repeat(43), "..%2f..%2fetc"] {
            member.get(&format!("/api/v1/shared/{wrong}")).await.is(404, "not_found");
        }
        member.put("/api/v1/sharing", json!({"public_links": true})).await.is(403, "forbidden");
        // The owner's list tells what there is, and not what opens it.
        let list = owner.get("/api/v1/shares").await.good(200);
        assert_eq!((&list.body["items"][0]["id"], &list.body["items"][0]["messages"]), (&json!(share_id), &json!(2)));
        assert!(!list.text.contains(link.rsplit('/').next().unwrap()));
        // What was thrown away opens nothing, and what came back does.
        owner.delete(&format!("/api/v1/conversations/{id}")).await.good(204);
        member.get(&link).await.is(404, "not_found");
        assert_eq!(owner.get("/api/v1/shares").await.good(200).body["items"], json!([]));
        owner.post(&format!("/api/v1/conversations/{id}/restore"), json!({})).await.good(200);
        member.get(&link).await.good(200);
        house.clock.forward(Duration::from_hours(1));
        member.get(&link).await.is(404, "not_found");
        owner.patch(&format!("/api/v1/shares/{share_id}"), json!({"expires_at": null})).await.good(200);
        member.get(&link).await.good(200);
        // Nor does one of somebody who was locked out.
        let theirs = member.post("/api/v1/conversations", json!({"title": "Empty"})).await.good(201).id();
        member.post(&format!("/api/v1/conversations/{theirs}/shares"), json!({"audience": "members"})).await.is(409, "nothing_to_share");
        let copy = member.post(&format!("{link}/copy"), json!({})).await.good(201).id();
        let (_, lent) = share(&mut member, &copy, json!({"audience": "members"})).await;
        owner.get(&lent).await.good(200);
        owner.patch(&format!("/api/v1/users/{member_id}"), json!({"disabled": true})).await.good(200);
        owner.get(&lent).await.is(404, "not_found");
        member.get(&link).await.is(401, "unauthenticated");
    }

    async fn whoever_is_signed_in_goes_on_with_a_copy_of_their_own(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (_mock, id, file) = conversation(&mut owner).await;
        owner.put("/api/v1/sharing", json!({"public_links": true})).await.good(200);
        let (share_id, link) = share(&mut owner, &id, json!({"audience": "everyone"})).await;
        let mut nobody = house.browser();
        nobody.post(&format!("{link}/copy"), json!({})).await.is(401, "unauthenticated");
        let (mut admin, _) = house.join(&mut owner, MEMBER, "admin").await;
        let copy = admin.post(&format!("{link}/copy"), json!({})).await.good(201);
        assert_eq!((&copy.body["title"], &copy.body["role"], &copy.body["assistant_id"], &copy.body["parameters"]), (&json!("Engines"), &json!(""), &Value::Null, &json!({})));
        let copied = copy.id();
        say(&mut admin, &copied, json!([{"type": "text", "text": "Going on"}])).await;
        let mine = admin.get(&format!("/api/v1/conversations/{copied}/messages")).await.good(200);
        let items = mine.body["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["parts"][0]["text"]), (4, &json!("What is this?")));
        let own = items[0]["parts"][1]["file_id"].as_str().unwrap().to_owned();
        assert_ne!(own, file);
        assert_eq!(admin.get("/api/v1/search?q=%22what%20is%20this%22").await.good(200).body["items"].as_array().unwrap().len(), 1);
        assert_eq!(texts(&mut nobody, &link).await.len(), 2, "what is shown is not the copy");
        // The copy stays when the link and what it showed are gone, with its picture.
        owner.delete(&format!("/api/v1/shares/{share_id}")).await.good(204);
        owner.delete(&format!("/api/v1/conversations/{id}")).await.good(204);
        house.clock.forward(Duration::from_hours(24 * 31));
        let mut admin = house.signed_in(MEMBER).await;
        house.chat.sweep().await.unwrap();
        admin.get(&format!("/api/v1/files/{own}")).await.good(200);
        admin.send(Method::POST, &format!("{link}/copy"), Some(json!({}))).await.is(404, "not_found");
    }
}

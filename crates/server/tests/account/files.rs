//! Pictures that people send: what is taken and what is not, who sees one, and what becomes of it.

use std::io::Cursor;
use std::time::Duration;

use axum::body::Body;
use http::Method;
use http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, on_both_engines};

use crate::support::{Answer, Browser, House, MEMBER};

const DAY: Duration = Duration::from_hours(24);

pub(crate) fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = RgbImage::from_fn(width, height, |x, y| {
        Rgb([u8::try_from(x % 251).unwrap(), u8::try_from(y % 241).unwrap(), 7])
    });
    DynamicImage::ImageRgb8(picture).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

pub(crate) async fn send(browser: &mut Browser, name: &str, kind: &str, bytes: impl Into<Body>) -> Answer {
    let path = format!("/api/v1/files?name={name}");
    let request = browser.request(Method::POST, &path).header(CONTENT_TYPE, kind);
    browser.exchange(request.body(bytes.into()).unwrap()).await
}

async fn upload(browser: &mut Browser, width: u32) -> Answer {
    send(browser, "cat.png", "image/png", picture(width, width / 2, ImageFormat::Png)).await.good(201)
}

/// A provider with a model that sees, one that is known not to, and one of which nobody has said.
async fn provider(owner: &mut Browser) -> MockServer {
    let mock = Mock::start().await.unwrap();
    let allowance = json!({"authority": mock.address().to_string()});
    owner.post("/api/v1/egress/allowances", allowance).await.good(201);
    let new = json!({"name": "Mock", "slug": "mock", "kind": "openai", "base_url": mock.base_url()});
    let provider = owner.post("/api/v1/providers", new).await.good(201).id();
    let models = json!({"models": [
        {"name": "lorem-5", "abilities": ["vision"]},
        {"name": "lorem-6", "abilities": ["tools"]},
        {"name": "lorem-7"},
    ]});
    owner.put(&format!("/api/v1/providers/{provider}/models"), models).await.good(200);
    mock
}

async fn ask(browser: &mut Browser, conversation: &str, model: &str, parts: Value) -> Answer {
    let turn = json!({"parts": parts, "model": model});
    browser.post(&format!("/api/v1/conversations/{conversation}/messages"), turn).await
}

async fn conversation(browser: &mut Browser) -> String {
    browser.post("/api/v1/conversations", json!({})).await.good(201).id()
}

fn shown(file: &str) -> Value {
    json!({"type": "image", "file_id": file})
}

fn said(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

async fn settled(browser: &mut Browser, conversation: &str) -> Vec<Value> {
    for _ in 0..500 {
        let list = browser.get(&format!("/api/v1/conversations/{conversation}/messages")).await.good(200);
        let items = list.body["items"].as_array().unwrap().clone();
        if items.iter().all(|message| message["status"] != "running") {
            return items;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer never ended");
}

/// What the provider got last.
fn asked(mock: &MockServer) -> Value {
    mock.requests().last().unwrap().body["messages"].clone()
}

/// How many blobs lie in the store.
fn blobs(house: &House) -> usize {
    let folders = std::fs::read_dir(house.files.path().join("sha256")).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

on_both_engines! {
    async fn a_picture_goes_in_and_comes_out_for_its_owner_alone(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let (mut member, _) = house.join(&mut owner, MEMBER, "admin").await;
        let sent = picture(3_000, 1_500, ImageFormat::Jpeg);
        let file = send(&mut owner, "..%2F..%2Fcat.jpg", "text/html", sent).await.good(201);
        assert_eq!((&file.body["name"], &file.body["media_type"]), (&json!("cat.jpg"), &json!("image/jpeg")));
        assert_eq!((&file.body["width"], &file.body["height"]), (&json!(2_048), &json!(1_024)));
        let path = format!("/api/v1/files/{}", file.id());
        let got = owner.get(&path).await.good(200);
        assert_eq!(got.bytes.len(), usize::try_from(file.body["bytes"].as_u64().unwrap()).unwrap());
        let header = |name: &str| got.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/jpeg");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'; sandbox");
        assert_eq!(header("cache-control"), "private, max-age=31536000, immutable");
        assert_eq!(header("content-disposition"), "inline; filename*=UTF-8''cat.jpg");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        let small = owner.get(&format!("{path}?size=small")).await.good(200);
        let seen = image::load_from_memory(&small.bytes).unwrap();
        assert_eq!((seen.width(), seen.height()), (512, 256));
        owner.get(&format!("{path}?size=huge")).await.is(400, "invalid_query");

        let again = owner.request(Method::GET, &path).header(IF_NONE_MATCH, header("etag")).body(Body::empty()).unwrap();
        let again = owner.exchange(again).await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
        // Not even whoever knows what is in it is told that it is there.
        let known = member.request(Method::GET, &path).header(IF_NONE_MATCH, "*").body(Body::empty()).unwrap();
        member.exchange(known).await.is(404, "not_found");
        member.get(&path).await.is(404, "not_found");
        member.get(&format!("{path}?size=small")).await.is(404, "not_found");
        member.delete(&path).await.is(404, "not_found");
        let foreign = conversation(&mut member).await;
        ask(&mut member, &foreign, "mock/lorem-5", json!([shown(&file.id())])).await.is(404, "not_found");
        owner.get(&path).await.good(200);
        owner.delete(&path).await.good(204);
        owner.get(&path).await.is(404, "not_found");
    }

    async fn a_model_gets_the_picture_and_later_turns_get_it_again(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let mock = provider(&mut owner).await;
        let file = upload(&mut owner, 100).await;
        let id = conversation(&mut owner).await;
        let parts = json!([shown(&file.id()), said("What is it?")]);
        ask(&mut owner, &id, "mock/lorem-5", parts).await.good(202);
        let messages = settled(&mut owner, &id).await;
        let part = json!({"type": "image", "file_id": file.id(), "name": "cat.png", "width": 100, "height": 50});
        assert_eq!(messages[0]["parts"], json!([part, said("What is it?")]));
        let got = asked(&mock);
        let url = got[0]["content"][0]["image_url"]["url"].as_str().unwrap();
        let kept = owner.get(&format!("/api/v1/files/{}", file.id())).await.good(200).bytes;
        let kept = stoa_model::Image::new(kept.to_vec(), 0).unwrap().to_data_url();
        assert_eq!(url, kept);
        assert_eq!(got[0]["content"][1], json!({"type": "text", "text": "What is it?"}));

        ask(&mut owner, &id, "mock/lorem-7", json!([said("And now?")])).await.good(202);
        settled(&mut owner, &id).await;
        assert_eq!(asked(&mock)[0]["content"][0]["image_url"]["url"], kept.as_str(), "nobody has said what it can");
        ask(&mut owner, &id, "mock/lorem-6", json!([said("And you?")])).await.good(202);
        let messages = settled(&mut owner, &id).await;
        assert_eq!(messages.last().unwrap()["status"], "complete");
        assert_eq!(asked(&mock)[0]["content"], "[a picture, \"cat.png\", which this model cannot see]\nWhat is it?");
    }

    async fn a_model_that_is_known_not_to_see_is_refused_before_anything_is_written(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let mock = provider(&mut owner).await;
        let file = upload(&mut owner, 100).await;
        let id = conversation(&mut owner).await;
        let parts = json!([shown(&file.id())]);
        let refused = ask(&mut owner, &id, "mock/lorem-6", parts.clone()).await;
        refused.is(422, "model_cannot_see");
        assert!(refused.body["hint"].as_str().unwrap().starts_with("Choose a model"), "{}", refused.text);
        assert_eq!(settled(&mut owner, &id).await, Vec::<Value>::new());
        assert_eq!(mock.counts().received, 0);
        // A picture alone is a question.
        let reply = ask(&mut owner, &id, "mock/lorem-5", parts).await.good(202).body["reply_id"].as_str().unwrap().to_owned();
        settled(&mut owner, &id).await;
        let again = format!("/api/v1/messages/{reply}/regenerate");
        owner.post(&again, json!({"model": "mock/lorem-6"})).await.is(422, "model_cannot_see");
        owner.post(&again, json!({})).await.good(202);
        assert_eq!(settled(&mut owner, &id).await.len(), 2);
        assert!(asked(&mock)[0]["content"][0]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
        let models = owner.get("/api/v1/models").await.good(200);
        let sees: Vec<&Value> = models.body["items"].as_array().unwrap().iter().map(|model| &model["sees"]).collect();
        assert_eq!(sees, [&json!(true), &json!(false), &Value::Null]);
    }

    async fn what_no_message_shows_goes_after_a_day_and_the_rest_with_its_conversation(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let _mock = provider(&mut owner).await;
        let (one, two) = (upload(&mut owner, 100).await, upload(&mut owner, 1_000).await);
        let id = conversation(&mut owner).await;
        ask(&mut owner, &id, "mock/lorem-5", json!([shown(&one.id())])).await.good(202);
        settled(&mut owner, &id).await;
        owner.delete(&format!("/api/v1/files/{}", one.id())).await.is(409, "file_in_use");
        house.chat.sweep().await.unwrap();
        assert_eq!(blobs(&house), 3, "one, and one with a small rendition");
        house.clock.forward(DAY + Duration::from_mins(1));
        house.chat.sweep().await.unwrap();
        owner.get(&format!("/api/v1/files/{}", two.id())).await.is(404, "not_found");
        assert_eq!(blobs(&house), 1);
        owner.delete(&format!("/api/v1/conversations/{id}")).await.good(204);
        house.chat.sweep().await.unwrap();
        assert_eq!(blobs(&house), 1, "it can still be restored");
        house.clock.forward(DAY * 31);
        let mut owner = house.signed_in(crate::support::OWNER).await;
        house.chat.sweep().await.unwrap();
        owner.get(&format!("/api/v1/files/{}", one.id())).await.is(404, "not_found");
        assert_eq!(blobs(&house), 0);
    }
}

/// The header of a PNG that says that it is so large, with a right sum behind it, and nothing else.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = picture(1, 1, ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut sum = u32::MAX;
    for byte in &bytes[12..29] {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
    bytes
}

#[tokio::test]
async fn what_is_no_picture_is_refused_with_what_to_do() {
    let (house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (kind, body) in [
        ("image/svg+xml", svg),
        ("image/png", svg),
        ("image/png", "<html><script>alert(1)</script></html>"),
        ("image/png", "BM a bitmap, perhaps"),
        ("image/png", "%PDF-1.7"),
    ] {
        let refused = send(&mut owner, "x.png", kind, body).await;
        refused.is(415, "not_a_picture");
        assert!(refused.body["hint"].as_str().unwrap().contains("PNG"), "{}", refused.text);
    }
    send(&mut owner, "x.png", "image/png", "").await.is(422, "picture_empty");
    let whole = picture(400, 400, ImageFormat::Png);
    send(&mut owner, "x.png", "image/png", whole[..whole.len() / 2].to_vec()).await.is(422, "picture_damaged");
    send(&mut owner, "x.png", "image/png", bomb(60_000, 60_000)).await.is(413, "picture_too_large");
    send(&mut owner, "x.png", "image/png", bomb(16_000, 16_000)).await.is(413, "picture_too_large");
    send(&mut owner, "x.png", "image/png", bomb(10, 10_000)).await.is(413, "picture_too_large");
    send(&mut owner, "x.png", "image/png", vec![0; 20 * 1024 * 1024 + 1]).await.is(413, "too_large");
    let endless = (0..30).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1024 * 1024]));
    let endless = Body::from_stream(futures_util::stream::iter(endless));
    send(&mut owner, "x.png", "image/png", endless).await.is(413, "too_large");
    assert!(!house.files.path().join("sha256").exists(), "nothing of them was kept");
    owner.post("/api/v1/files?surprise=1", json!({})).await.is(400, "invalid_query");
    // What it is called says nothing: a picture is one all the same.
    send(&mut owner, "page.html", "text/html", picture(4, 4, ImageFormat::Gif)).await.good(201);
    // Two faces: only the picture is left.
    let mut two = picture(4, 4, ImageFormat::Png);
    two.extend(b"<script>alert(1)</script>");
    let file = send(&mut owner, "x.png", "image/png", two).await.good(201);
    let got = owner.get(&format!("/api/v1/files/{}", file.id())).await.good(200);
    assert!(!got.text.contains("script"));
}

#[tokio::test]
async fn a_message_shows_a_few_pictures_and_a_person_keeps_so_many_bytes() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let _mock = provider(&mut owner).await;
    let file = upload(&mut owner, 100).await.id();
    let id = conversation(&mut owner).await;
    let nine = vec![shown(&file); 9];
    assert_eq!(ask(&mut owner, &id, "mock/lorem-5", json!(nine)).await.fields(), ["parts"]);
    ask(&mut owner, &id, "mock/lorem-5", json!([shown(crate::support::NOBODYS_ID)])).await.is(404, "not_found");
    let both = json!([{"type": "image", "file_id": file, "url": "http://x.test"}]);
    ask(&mut owner, &id, "mock/lorem-5", both).await.is(400, "invalid_request");
    ask(&mut owner, &id, "mock/lorem-5", json!([said("  ")])).await.is(422, "invalid_fields");
    // Noise fills the room soon.
    let mut state = 1_u32;
    let mut noise = || {
        let picture = RgbImage::from_fn(250, 250, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [one, two, three, _] = state.to_be_bytes();
            Rgb([one, two, three])
        });
        let mut bytes = Vec::new();
        DynamicImage::ImageRgb8(picture).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    };
    send(&mut owner, "a.png", "image/png", noise()).await.good(201);
    let second = send(&mut owner, "b.png", "image/png", noise()).await.good(201).id();
    send(&mut owner, "c.png", "image/png", noise()).await.is(409, "no_room");
    owner.delete(&format!("/api/v1/files/{second}")).await.good(204);
    send(&mut owner, "c.png", "image/png", noise()).await.good(201);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_said_and_a_lost_picture_holds_nobody_up() {
    let (house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let mock = provider(&mut owner).await;
    let file = upload(&mut owner, 100).await.id();
    let id = conversation(&mut owner).await;
    std::fs::remove_dir_all(house.files.path().join("sha256")).unwrap();
    owner.get(&format!("/api/v1/files/{file}")).await.is(500, "internal");
    ask(&mut owner, &id, "mock/lorem-5", json!([shown(&file), said("What is it?")])).await.good(202);
    assert_eq!(settled(&mut owner, &id).await[1]["status"], "complete");
    assert_eq!(asked(&mock)[0]["content"], "[a picture, \"cat.png\", which is left out here]\nWhat is it?");
    std::fs::write(house.files.path().join("sha256"), "in the way").unwrap();
    let sent = picture(50, 50, ImageFormat::Png);
    send(&mut owner, "x.png", "image/png", sent).await.is(503, "files_unavailable");
}

//! What people bring along from other chats, and files that are broken, foreign, cut off or very large.

use std::fmt::Write as _;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, on_both_engines};

use crate::exports::import;
use crate::support::{Browser, House};

const CHATGPT: &str = include_str!("exports/chatgpt.json");
const OPEN_WEBUI: &str = include_str!("exports/open-webui.json");
const LOBECHAT: &str = include_str!("exports/lobechat.json");
const LOBECHAT_DATABASE: &str = include_str!("exports/lobechat-database.json");

/// The conversation with this title, archived or not.
async fn titled(browser: &mut Browser, title: &str) -> Value {
    for archived in [false, true] {
        let list = browser.get(&format!("/api/v1/conversations?archived={archived}")).await.good(200).body;
        let found = list["items"].as_array().unwrap().iter().find(|item| item["title"] == title);
        if let Some(found) = found {
            return found.clone();
        }
    }
    panic!("no conversation `{title}`");
}

/// What is said on the branch that shows, with the role's first letter before it.
async fn said(browser: &mut Browser, conversation: &Value) -> Vec<String> {
    let path = format!("/api/v1/conversations/{}/messages", conversation["id"].as_str().unwrap());
    let list = browser.get(&path).await.good(200).body;
    let line = |message: &Value| {
        let parts = message["parts"].as_array().unwrap().iter().map(|part| match part["type"].as_str().unwrap() {
            "reasoning" => format!("({})", part["text"].as_str().unwrap()),
            "image" => format!("<{}x{}>", part["width"], part["height"]),
            _ => part["text"].as_str().unwrap().to_owned(),
        });
        format!("{}: {}", &message["role"].as_str().unwrap()[..1], parts.collect::<Vec<_>>().join(" "))
    };
    list["items"].as_array().unwrap().iter().map(line).collect()
}

fn left_out(report: &Value) -> Vec<(String, String, u64)> {
    let groups = report["left_out"].as_array().unwrap().iter();
    groups
        .map(|group| {
            let text = |name: &str| group[name].as_str().unwrap().to_owned();
            (text("what"), text("why"), group["count"].as_u64().unwrap())
        })
        .collect()
}

fn out(what: &str, why: &str, count: u64) -> (String, String, u64) {
    (what.to_owned(), why.to_owned(), count)
}

on_both_engines! {
    async fn chats_of_chatgpt(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let report = import(&mut owner, CHATGPT).await.good(200).body;
        assert_eq!(report["source"], "chatgpt");
        assert_eq!((&report["made"]["conversations"], &report["made"]["messages"]), (&json!(2), &json!(4)));
        let want = [out("conversation", "empty", 1), out("picture", "not_in_file", 1), out("other", "unreadable", 1), out("other", "not_supported", 2)];
        assert_eq!(left_out(&report), want, "{report}");
        let tea = titled(&mut owner, "Tea ceremony").await;
        assert_eq!((&tea["pinned"], &tea["created_at"], &tea["updated_at"]), (&json!(true), &json!("2024-07-01T09:00:00.5Z"), &json!("2024-07-01T09:01:40.25Z")));
        assert_eq!(said(&mut owner, &tea).await, ["u: How is matcha whisked?", "a: (**Recalling**\n\nA bamboo whisk.) In a zigzag, with a bamboo whisk."]);
        let path = format!("/api/v1/conversations/{}/messages", tea["id"].as_str().unwrap());
        let answer = owner.get(&path).await.good(200).body["items"][1].clone();
        assert_eq!((answer["siblings"].as_array().unwrap().len(), &answer["model"]), (2, &json!("o3")));
        let second = titled(&mut owner, "二番目").await;
        assert_eq!(second["archived"], true);
        let found = owner.get("/api/v1/search?q=%E6%8A%B9%E8%8C%B6").await.good(200).body;
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");

        // More was said since: only that is added.
        let more = CHATGPT.replace(r#""parent": null, "children": [] }
    }"#, r#""parent": null, "children": [] },
      "q2": { "message": { "author": { "role": "user" }, "create_time": 1719910802, "content": { "content_type": "text", "parts": ["苦吗？"] } }, "parent": "q" }
    }"#).replace(r#""current_node": "q""#, r#""current_node": "q2""#);
        let report = import(&mut owner, more).await.good(200).body;
        assert_eq!((&report["made"]["conversations"], &report["made"]["messages"], &report["known"]["messages"]), (&json!(0), &json!(1), &json!(4)));
        assert_eq!(said(&mut owner, &second).await, ["u: 抹茶有什么味道？", "u: 苦吗？"]);
    }

    async fn chats_of_open_webui_with_their_pictures(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let picture = STANDARD.encode(crate::files::picture(20, 10, image::ImageFormat::Png));
        let file = OPEN_WEBUI.replace("PICTURE", &picture);
        let report = import(&mut owner, file.clone()).await.good(200).body;
        assert_eq!(report["source"], "open_webui");
        assert_eq!(report["made"], json!({"conversations": 2, "messages": 6, "projects": 0, "assistant_folders": 0, "assistants": 0, "prompts": 0, "pictures": 1}));
        assert_eq!(left_out(&report), [out("other", "not_supported", 1)]);
        assert_eq!(report["left_out"][0]["names"], json!(["soil.pdf"]));
        let garden = titled(&mut owner, "Garden plan").await;
        assert_eq!((&garden["tags"], &garden["pinned"], &garden["role"]), (&json!(["garden", "shade"]), &json!(true), &json!("You are a gardener.")));
        assert_eq!(garden["parameters"], json!({"temperature": 0.4}));
        assert_eq!(said(&mut owner, &garden).await, ["u: What grows in shade? <20x10>", "a: (Ferns & hostas.) Ferns and hostas."]);
        let early = titled(&mut owner, "From an early version").await;
        assert_eq!(said(&mut owner, &early).await, ["u: First", "a: Second"]);
        let again = import(&mut owner, file).await.good(200).body;
        assert_eq!((&again["made"], &again["known"]), (&json!({"conversations": 0, "messages": 0, "projects": 0, "assistant_folders": 0, "assistants": 0, "prompts": 0, "pictures": 0}), &report["made"]));
    }

    async fn chats_of_lobechat_from_the_browser_and_from_a_database(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let report = import(&mut owner, LOBECHAT).await.good(200).body;
        assert_eq!(report["source"], "lobechat");
        assert_eq!(report["made"], json!({"conversations": 2, "messages": 4, "projects": 0, "assistant_folders": 0, "assistants": 1, "prompts": 0, "pictures": 0}));
        let want = [out("conversation", "empty", 1), out("picture", "not_in_file", 1), out("other", "not_supported", 1)];
        assert_eq!(left_out(&report), want, "{report}");
        let whales = titled(&mut owner, "Whales").await;
        assert_eq!((&whales["pinned"], &whales["updated_at"]), (&json!(true), &json!("2024-07-14T23:33:50Z")));
        assert_eq!(said(&mut owner, &whales).await, ["u: Name a whale.", "a: (Horns.) The narwhal.", "u: And at night?"]);
        let inbox = titled(&mut owner, "Just a question").await;
        assert_eq!(inbox["assistant_id"], Value::Null);
        let assistants = owner.get("/api/v1/assistants").await.good(200).body;
        let one = &assistants["items"][0];
        assert_eq!((&one["id"], &one["name"], &one["avatar"], &one["model"], &one["pinned"]),
            (&whales["assistant_id"], &json!("Oceanographer"), &json!("🐳"), &json!("openai/gpt-4o-mini"), &json!(true)));
        let again = import(&mut owner, LOBECHAT).await.good(200).body;
        assert_eq!((&again["made"]["messages"], &again["known"]["messages"]), (&json!(0), &json!(4)), "{again}");
        assert_eq!(said(&mut owner, &whales).await.len(), 3);

        let report = import(&mut owner, LOBECHAT_DATABASE).await.good(200).body;
        assert_eq!(report["made"], json!({"conversations": 2, "messages": 3, "projects": 0, "assistant_folders": 0, "assistants": 1, "prompts": 0, "pictures": 0}));
        let soup = titled(&mut owner, "Soup").await;
        assert_eq!(said(&mut owner, &soup).await, ["u: A soup?", "a: Minestrone."]);
        let aside = titled(&mut owner, "Why?").await;
        assert_eq!(said(&mut owner, &aside).await, ["u: Why?"]);
        let cook = owner.get(&format!("/api/v1/assistants/{}", soup["assistant_id"].as_str().unwrap())).await.good(200).body;
        assert_eq!((&cook["name"], &cook["avatar"], &cook["history_messages"]), (&json!("Cook"), &json!(""), &json!(12)));
    }

    async fn what_is_broken_is_left_out_and_the_rest_is_taken(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let id = |n: u32| format!("00000000-0000-7000-8000-0000000000{n:02}");
        let times = r#""created_at":"2025-01-01T00:00:00Z""#;
        let mut file = "{\"format\":\"stoa.archive\",\"version\":1}\n".to_owned();
        let mut line = |text: &str| writeln!(file, "{text}").unwrap();
        line(&format!(r#"{{"type":"message","id":"{}","conversation_id":"{}","role":"user","parts":[],"status":"complete",{times}}}"#, id(9), id(99)));
        line(&format!(r#"{{"type":"conversation","id":"{}","title":"Odd\u0000\n{}",{times},"updated_at":"2999-01-01T00:00:00Z"}}"#, id(1), "x".repeat(300)));
        let mut message = |n: u32, parent: Option<u32>, text: &str| {
            let parent = parent.map_or("null".to_owned(), |parent| format!("\"{}\"", id(parent)));
            let parts = json!([{"type": "text", "text": text}]);
            line(&format!(r#"{{"type":"message","id":"{}","conversation_id":"{}","parent_id":{parent},"role":"user","parts":{parts},"status":"running",{times}}}"#, id(n), id(1)));
        };
        message(4, Some(3), "fourth");
        message(2, None, "second");
        message(3, Some(2), &"too long ".repeat(300_000));
        message(6, Some(7), "in a circle");
        message(7, Some(6), "with this one");
        message(8, Some(55), "its parent is nowhere");
        line("{\"type\":\"message\", broken");
        line("{\"type\":\"hologram\"}");
        line(r#"{"type":"project","id":"00000000-0000-7000-8000-000000000010","profile":{"name":" "},"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}"#);
        line(r#"{"type":"file","id":"00000000-0000-7000-8000-000000000011","name":"x.png","media_type":"image/png","data":"bm8gcGljdHVyZQ=="}"#);
        let report = import(&mut owner, file).await.good(200).body;
        assert_eq!((&report["made"]["conversations"], &report["made"]["messages"]), (&json!(1), &json!(5)), "{report}");
        let want = [
            out("project", "not_allowed", 1),
            out("message", "too_large", 1),
            out("message", "not_in_file", 1),
            out("picture", "unreadable", 1),
            out("other", "unreadable", 2),
            out("other", "cut_off", 1),
        ];
        assert_eq!(left_out(&report), want, "{report}");
        let list = owner.get("/api/v1/conversations").await.good(200).body;
        let odd = list["items"][0].clone();
        let title = odd["title"].as_str().unwrap();
        assert_eq!((title.chars().count(), title.chars().any(char::is_control)), (200, false));
        assert_eq!(odd["updated_at"], "2026-01-01T00:00:00Z", "nothing was written in the future");
        let path = format!("/api/v1/conversations/{}/messages", odd["id"].as_str().unwrap());
        let newest = owner.get(&path).await.good(200).body;
        assert!(newest["items"].as_array().unwrap().iter().all(|message| message["status"] == "interrupted"));
        let hit = owner.get("/api/v1/search?q=fourth").await.good(200).body["items"][0]["message_id"].as_str().unwrap().to_owned();
        let branch = owner.get(&format!("{path}?leaf={hit}")).await.good(200).body;
        let texts: Vec<&str> = branch["items"].as_array().unwrap().iter().map(|message| message["parts"][0]["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["second", "fourth"], "what was not taken leaves no gap");
        for word in ["circle", "nowhere"] {
            let hit = owner.get(&format!("/api/v1/search?q={word}")).await.good(200).body["items"][0]["message_id"].as_str().unwrap().to_owned();
            owner.get(&format!("{path}?around={hit}")).await.good(200);
        }
    }

    async fn one_that_breaks_off_leaves_what_came_and_the_next_brings_the_rest(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        let file = Bytes::from(long(250));
        let half = file.slice(..file.len() / 2);
        let pieces: Vec<Result<Bytes, std::io::Error>> = vec![Ok(half), Err(std::io::Error::other("gone"))];
        let broken = import(&mut owner, Body::from_stream(futures_util::stream::iter(pieces))).await;
        broken.is(400, "body_unreadable");
        assert!(broken.body["hint"].as_str().unwrap().contains("nothing is made twice"));
        let there = import(&mut owner, file.clone()).await.good(200).body;
        let (made, known) = (there["made"]["messages"].as_u64().unwrap(), there["known"]["messages"].as_u64().unwrap());
        assert_eq!(made + known, 250, "{there}");
        assert!(made > 0 && known >= 100, "{there}");
        let id = titled(&mut owner, "Long").await["id"].as_str().unwrap().to_owned();
        let text = owner.get(&format!("/api/v1/conversations/{id}/export?format=markdown")).await.good(200).text;
        let numbers: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("Number ")).collect();
        assert_eq!(numbers, (0..250).map(|n| n.to_string()).collect::<Vec<_>>(), "one branch, in its order");
    }
}

/// An archive of one conversation of so many messages in a row.
fn long(messages: u32) -> String {
    let id = |n: u32| format!("00000000-0000-7000-8000-{n:012x}");
    let mut file = "{\"format\":\"stoa.archive\",\"version\":1}\n".to_owned();
    let head = json!({"type": "conversation", "id": id(0), "title": "Long", "leaf_id": id(messages),
        "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"});
    writeln!(file, "{head}").unwrap();
    for n in 0..messages {
        let parent = (n > 0).then(|| id(n));
        let parts = json!([{"type": "text", "text": format!("Number {n}")}]);
        let message = json!({"type": "message", "id": id(n + 1), "conversation_id": id(0), "parent_id": parent, "role": "user",
            "parts": parts, "status": "complete", "created_at": "2025-01-01T00:00:00Z"});
        writeln!(file, "{message}").unwrap();
    }
    file + "{\"type\":\"end\",\"conversations\":1,\"messages\":0,\"files\":0}\n"
}

#[tokio::test]
async fn what_is_no_export_is_refused_and_a_newer_one_too() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    for file in [
        "",
        "PK\u{3}\u{4}zip",
        "<html></html>",
        "{\"format\":\"stoa.assistants\",\"version\":1,\"assistants\":[]}",
        "[1,2]",
        "{}",
    ] {
        import(&mut owner, file).await.is(422, "import_unknown");
    }
    let newer = "{\"format\":\"stoa.archive\",\"version\":2}\n{\"type\":\"end\",\"conversations\":0,\"messages\":0,\"files\":0}\n";
    import(&mut owner, newer).await.is(422, "import_too_new");
    assert_eq!(owner.get("/api/v1/conversations").await.good(200).body["items"], json!([]));
}

#[tokio::test]
async fn one_import_at_a_time_of_each_person() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let slow =
        futures_util::stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
    let mut second = owner.clone();
    let first = import(&mut owner, Body::from_stream(slow));
    let meanwhile = async {
        sender.send(Ok(Bytes::from_static(b"[ "))).await.unwrap();
        sender.send(Ok(Bytes::from_static(b" "))).await.unwrap();
        import(&mut second, CHATGPT).await.is(429, "too_many_imports");
        drop(sender);
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    first.is(422, "import_unknown");
    import(&mut owner, CHATGPT).await.good(200);
}

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// As many MiB of an export, made while they are sent: mostly what nobody wants, and a message in each.
fn large(mebibytes: u32) -> Body {
    let head = Bytes::from_static(b"{\"exportType\":\"all\",\"state\":{\"settings\":{\"a\":[0");
    let filler = Bytes::from(format!(",\"{}\"", "x".repeat(64 * 1024 - 3)));
    let fillers = (0..mebibytes * 16).map(move |_| filler.clone());
    let messages = (0..mebibytes).map(move |n| {
        let comma = if n == 0 { "" } else { "," };
        Bytes::from(format!("{comma}{{\"id\":\"m{mebibytes}.{n}\",\"role\":\"user\",\"content\":\"word{n} {}\",\"createdAt\":{n},\"topicId\":\"t\"}}", "y ".repeat(8_000)))
    });
    let middle = Bytes::from_static(b"]},\"messages\":[");
    let pieces = [head].into_iter().chain(fillers).chain([middle]).chain(messages).chain([Bytes::from_static(b"]}}")]);
    Body::from_stream(futures_util::stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn a_file_of_half_a_gigabyte_takes_no_more_memory_than_a_small_one() {
    let (_house, mut owner) = House::with_owner(TestDatabase::open(Engine::Sqlite).await).await;
    import(&mut owner, large(8)).await.good(200);
    let before = peak();
    let report = import(&mut owner, large(500)).await.good(200).body;
    assert_eq!(report["made"]["messages"], 500);
    let grown = peak() - before;
    assert!(grown < 500 * 1024 * 1024 / 10, "the memory grew by {grown} bytes");
}

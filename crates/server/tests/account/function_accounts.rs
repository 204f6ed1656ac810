//! What functions took, told to whom it concerns: each their own, and administrators everybody's.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_model::completion::Usage;
use stoa_model::conversation::Timings;
use stoa_model::{Clock as _, FunctionId, InstanceId, Principal, Timestamp, UsageId, UserId};
use stoa_storage::{Database, FunctionUsage, UsageRow, on_both_engines};

use crate::support::{Browser, House, MEMBER, NOBODYS_ID};

const SYSTEM: Principal = Principal::System("test");
const MINE: &str = "/api/v1/functions/account";
const ALL: &str = "/api/v1/function-accounts";

async fn made(browser: &mut Browser, name: &str) -> String {
    let function = json!({"name": name, "template": "python-agent"});
    browser.post("/api/v1/functions", function).await.good(201).id()
}

/// A function's call, and the call of a model that it made.
async fn called(database: &Database, function: &str, owner: &str, at: Timestamp) {
    let function: FunctionId = function.parse().unwrap();
    let owner: UserId = owner.parse().unwrap();
    let taken = FunctionUsage {
        function,
        version: None,
        alias: String::new(),
        caller: Some(owner),
        minute: Timestamp::from_millis(at.as_millis() / 60_000 * 60_000),
        server: InstanceId::generate(at),
        calls: 2,
        errors: 1,
        cold_starts: 1,
        duration_us: 1_000,
        cpu_us: 2_500_000,
        memory_mib_ms: 1_024_000,
        latencies: json!([]),
        cold: json!({"queue_us": 0, "sandbox_us": 0, "spawn_us": 0, "init_us": 0, "first_byte_us": 0}),
    };
    database.record_function_usage(&SYSTEM, &[taken]).await.unwrap();
    let call = UsageRow {
        id: UsageId::generate(at),
        at,
        user: Some(owner),
        api_key: None,
        generation: None,
        function: Some(function),
        model: "a/b".to_owned(),
        provider: None,
        outcome: "stop".to_owned(),
        usage: Usage {
            prompt_tokens: 10,
            completion_tokens: 3,
            cached_tokens: 2,
            reasoning_tokens: 1,
            cost: Some(5_000),
        },
        timings: Timings::default(),
        by_browser: false,
    };
    database.record_usage(&SYSTEM, vec![call]).await.unwrap();
}

/// How much came of so many such pairs of calls.
fn sum(calls: u32) -> Value {
    json!({
        "calls": calls * 2, "errors": calls, "cold_starts": calls, "cpu_seconds": 2.5 * f64::from(calls),
        "gb_seconds": f64::from(calls), "cost": null,
        "models": {"calls": calls, "failed": 0, "prompt_tokens": calls * 10, "cached_tokens": calls * 2,
            "completion_tokens": calls * 3, "reasoning_tokens": calls, "cost": calls * 5_000},
    })
}

fn with(mut sum: Value, more: &Value) -> Value {
    sum.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sum
}

on_both_engines! {
    async fn everybody_sees_their_own_account_and_administrators_all_of_them(test: TestDatabase) {
        let database = test.database.clone();
        let (house, mut owner) = House::with_owner(test).await;
        let (mut admin, charles) = house.join(&mut owner, MEMBER, "admin").await;
        let (mut member, _) = house.join(&mut owner, "grace@example.org", "member").await;
        let ada = owner.get("/api/v1/me").await.id();
        let now = house.clock.now();
        let empty = json!({"step_ms": 600_000, "totals": with(sum(0), &json!({"models": with(sum(0)["models"].clone(), &json!({"cost": null}))})),
            "functions": [], "points": []});
        assert_eq!(owner.get(MINE).await.good(200).body, empty);

        let (one, two) = (made(&mut owner, "one").await, made(&mut owner, "two").await);
        let theirs = made(&mut admin, "theirs").await;
        called(&database, &one, &ada, now).await;
        called(&database, &two, &ada, now).await;
        called(&database, &two, &ada, now.minus(Duration::from_hours(30))).await;
        called(&database, &theirs, &charles, now).await;

        let line = |id: &str, name: &str, calls| with(sum(calls), &json!({"id": id, "name": name}));
        let day = owner.get(MINE).await.good(200).body;
        assert_eq!(day["totals"], sum(2), "what is older than a day is not asked for");
        assert_eq!(day["functions"], json!([line(&one, "one", 1), line(&two, "two", 1)]));
        let point = json!({"at": now, "calls": 4, "errors": 2, "cpu_seconds": 5.0, "gb_seconds": 2.0, "cost": null, "models_cost": 10_000});
        assert_eq!(day["points"], json!([point]));
        let week = owner.get(&format!("{MINE}?hours=168")).await.good(200).body;
        assert_eq!(week["functions"], json!([line(&two, "two", 2), line(&one, "one", 1)]), "what cost most comes first");
        assert_eq!((&week["totals"], week["points"].as_array().unwrap().len()), (&sum(3), 2));
        let metrics = owner.get(&format!("/api/v1/functions/{two}/metrics?hours=48")).await.good(200).body;
        assert_eq!(metrics["totals"]["models"], sum(2)["models"]);
        for hours in ["0", "8785", "x"] {
            assert!(matches!(owner.get(&format!("{MINE}?hours={hours}")).await.status.as_u16(), 400 | 422));
        }

        let person = |id: &str, name: &str, functions, calls| {
            with(sum(calls), &json!({"user_id": id, "name": name, "functions": functions}))
        };
        let people = json!({"totals": sum(4), "people": [person(&ada, "Ada", 2, 3), person(&charles, "Charles", 1, 1)]});
        for browser in [&mut owner, &mut admin] {
            assert_eq!(browser.get(&format!("{ALL}?hours=168")).await.good(200).body, people);
            assert_eq!(browser.get(&format!("{ALL}/{ada}?hours=168")).await.good(200).body, week);
            browser.get(&format!("{ALL}/{NOBODYS_ID}")).await.is(404, "not_found");
        }
        assert_eq!(admin.get(MINE).await.good(200).body["functions"], json!([line(&theirs, "theirs", 1)]));

        assert_eq!(member.get(MINE).await.good(200).body, empty, "who has no functions has nothing on the account");
        for path in [ALL.to_owned(), format!("{ALL}/{ada}")] {
            member.get(&path).await.is(403, "forbidden");
        }
        owner.delete(&format!("/api/v1/functions/{two}")).await.good(204);
        let left = owner.get(&format!("{MINE}?hours=168")).await.good(200).body;
        assert_eq!(left["functions"], json!([line(&one, "one", 1)]), "with a function, its account goes");
    }
}

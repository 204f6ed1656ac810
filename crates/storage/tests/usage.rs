//! What the usage ledger adds up to, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use stoa_model::completion::Usage;
use stoa_model::conversation::Timings;
use stoa_model::person::Role;
use stoa_model::usage::UsageSum;
use stoa_model::{Principal, SessionId, Timestamp, UsageId, UserId, Via};
use stoa_storage::{Database, NewUser, StorageError, UsageLimit, UsageOf, UsageRow, UsageSpan, on_both_engines};

/// 2026-01-01, 00:00 UTC.
const NEW_YEAR: i64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;
const ALL: UsageLimit = UsageLimit(1_000);

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR + hours * HOUR)
}

/// Days by a clock in UTC, the last of them that of `hours`.
fn span(hours: i64, days: u16) -> UsageSpan {
    UsageSpan { until: at(hours), days, utc_offset_minutes: 0 }
}

fn call(user: Option<UserId>, hours: i64, model: &str, tokens: u64, cost: Option<u64>) -> UsageRow {
    UsageRow {
        id: UsageId::generate(at(hours)),
        at: at(hours),
        user,
        api_key: None,
        generation: None,
        function: None,
        model: model.to_owned(),
        provider: None,
        outcome: "stop".to_owned(),
        usage: Usage { prompt_tokens: tokens, completion_tokens: 1, cached_tokens: 2, reasoning_tokens: 1, cost },
        timings: Timings::default(),
        by_browser: false,
    }
}

async fn person(database: &Database, name: &str, role: Role) -> Principal {
    let new =
        NewUser { name: name.to_owned(), email: format!("{name}@example.com"), role, password_hash: "none".to_owned() };
    let user = database.create_user(&Principal::System("test"), new, at(0)).await.unwrap();
    Principal::User { id: user.id, role, epoch: 1, via: Via::Session(SessionId::generate(at(0))) }
}

async fn write(database: &Database, rows: Vec<UsageRow>) {
    database.record_usage(&Principal::System("test"), rows).await.unwrap();
}

/// Date, model, calls, prompt tokens, cost.
async fn days(
    database: &Database,
    who: &Principal,
    of: UsageOf,
    span: UsageSpan,
) -> Vec<(String, String, u64, u64, Option<u64>)> {
    let days = database.daily_usage(who, of, span, ALL).await.unwrap();
    days.into_iter().map(|day| (day.date, day.model, day.sum.calls, day.sum.prompt_tokens, day.sum.cost)).collect()
}

fn day(date: &str, model: &str, calls: u64, tokens: u64, cost: Option<u64>) -> (String, String, u64, u64, Option<u64>) {
    (date.to_owned(), model.to_owned(), calls, tokens, cost)
}

on_both_engines! {
    async fn calls_add_up_by_day_and_model(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann", Role::Member).await;
        let id = ann.user_id();
        write(database, vec![
            call(id, 1, "a/small", 10, Some(5)),
            call(id, 23, "a/small", 20, None),
            call(id, 12, "b/large", 1_000, None),
            call(id, 25, "a/small", 7, Some(1)),
        ]).await;
        assert_eq!(days(database, &ann, UsageOf::Mine, span(30, 30)).await, [
            day("2026-01-02", "a/small", 1, 7, Some(1)),
            day("2026-01-01", "b/large", 1, 1_000, None),
            day("2026-01-01", "a/small", 2, 30, Some(5)),
        ]);
        let sum = database.daily_usage(&ann, UsageOf::Mine, span(1, 1), UsageLimit(1)).await.unwrap()[0].sum;
        let expected = UsageSum {
            calls: 1, failed: 0, prompt_tokens: 1_000, cached_tokens: 2, completion_tokens: 1, reasoning_tokens: 1, cost: None,
        };
        assert_eq!(sum, expected, "no more than asked for, the most tokens first");
    }

    async fn a_day_begins_by_the_clock_of_whoever_asks(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann", Role::Member).await;
        write(database, vec![call(ann.user_id(), 23, "m/m", 1, None), call(ann.user_id(), 24, "m/m", 1, None)]).await;
        let by = |utc_offset_minutes| UsageSpan { utc_offset_minutes, ..span(24, 2) };
        let one = |date| vec![day(date, "m/m", 2, 2, None)];
        assert_eq!(days(database, &ann, UsageOf::Mine, by(60)).await, one("2026-01-02"));
        assert_eq!(days(database, &ann, UsageOf::Mine, by(-60)).await, one("2026-01-01"));
        assert_eq!(days(database, &ann, UsageOf::Mine, by(0)).await.len(), 2);
        // Yesterday is not asked for, and tomorrow has not come.
        assert_eq!(days(database, &ann, UsageOf::Mine, span(24, 1)).await, [day("2026-01-02", "m/m", 1, 1, None)]);
        assert_eq!(days(database, &ann, UsageOf::Mine, span(23, 1)).await, [day("2026-01-01", "m/m", 1, 1, None)]);
        assert!(days(database, &ann, UsageOf::Mine, span(24 * 40, 30)).await.is_empty());
    }

    async fn people_see_their_own_and_admins_the_sums_of_all(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann", Role::Member).await;
        let ada = person(database, "ada", Role::Admin).await;
        let gone = UserId::generate(at(0));
        write(database, vec![
            call(ann.user_id(), 1, "m/m", 10, None),
            call(ada.user_id(), 1, "m/m", 30, Some(9)),
            call(Some(gone), 1, "m/m", 5, None),
            call(None, 1, "local/m", 1, None),
        ]).await;
        assert_eq!(days(database, &ann, UsageOf::Mine, span(1, 1)).await, [day("2026-01-01", "m/m", 1, 10, None)]);
        assert_eq!(days(database, &ada, UsageOf::Mine, span(1, 1)).await, [day("2026-01-01", "m/m", 1, 30, Some(9))]);
        assert_eq!(days(database, &ada, UsageOf::Everybody, span(1, 1)).await, [
            day("2026-01-01", "m/m", 3, 45, Some(9)),
            day("2026-01-01", "local/m", 1, 1, None),
        ]);
        let people = database.usage_by_person(&ada, span(1, 1), ALL).await.unwrap();
        let told: Vec<_> = people.iter().map(|one| (one.name.as_deref(), one.user_id, one.sum.prompt_tokens)).collect();
        assert_eq!(told, [
            (Some("ada"), ada.user_id(), 30), (Some("ann"), ann.user_id(), 10), (None, Some(gone), 5), (None, None, 1),
        ]);
        for nosy in [&ann, &Principal::AtTheMachine] {
            let refused = database.daily_usage(nosy, UsageOf::Everybody, span(1, 1), ALL).await.unwrap_err();
            assert!(matches!(refused, StorageError::Forbidden));
            let refused = database.usage_by_person(nosy, span(1, 1), ALL).await.unwrap_err();
            assert!(matches!(refused, StorageError::Forbidden));
        }
        assert!(days(database, &Principal::AtTheMachine, UsageOf::Mine, span(1, 1)).await.is_empty());
    }

    async fn what_a_browser_claims_counts_for_its_owner_only(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann", Role::Member).await;
        let boss = person(database, "boss", Role::Owner).await;
        let claimed = UsageRow { by_browser: true, ..call(ann.user_id(), 1, "~mac/m", 1_000_000, None) };
        write(database, vec![claimed, call(ann.user_id(), 1, "m/m", 10, None)]).await;
        let models = |days: Vec<(String, String, u64, u64, Option<u64>)>| -> Vec<String> {
            days.into_iter().map(|day| day.1).collect()
        };
        assert_eq!(models(days(database, &ann, UsageOf::Mine, span(1, 1)).await), ["~mac/m", "m/m"]);
        assert_eq!(models(days(database, &boss, UsageOf::Everybody, span(1, 1)).await), ["m/m"]);
        let people = database.usage_by_person(&boss, span(1, 1), ALL).await.unwrap();
        assert_eq!(people.iter().map(|person| person.sum.prompt_tokens).collect::<Vec<_>>(), [10]);
    }

    async fn what_failed_is_told_and_no_lie_overflows(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann", Role::Member).await;
        let ended = |outcome: &str| UsageRow { outcome: outcome.to_owned(), ..call(ann.user_id(), 1, "m/m", u64::MAX, Some(u64::MAX)) };
        let outcomes = ["stop", "length", "tool_calls", "content_filter", "stopped", "interrupted", "provider_refused"];
        write(database, outcomes.iter().map(|outcome| ended(outcome)).collect()).await;
        let sum = database.daily_usage(&ann, UsageOf::Mine, span(1, 1), ALL).await.unwrap()[0].sum;
        assert_eq!((sum.calls, sum.failed), (7, 2));
        assert_eq!((sum.prompt_tokens, sum.cost), (7_000_000_000_000, Some(7_000_000_000_000)));
    }
}

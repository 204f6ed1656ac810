//! What functions promise, on both engines: whose they are, that versions stay as they were, where aliases lead, and that an
//! account counts nothing twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::json;
use stoa_model::completion::Usage;
use stoa_model::conversation::Timings;
use stoa_model::function::{
    AliasChange, AliasRoute, Canary, CodeFile, Function, FunctionProfile, HttpAccess, HttpTrigger, Language,
    ModelAccess, TimerProfile, TimerRun,
};
use stoa_model::person::Role;
use stoa_model::provider::ProviderKind;
use stoa_model::usage::UsageSum;
use stoa_model::{FunctionId, InstanceId, Principal, SessionId, Timestamp, UsageId, Via};
use stoa_storage::{
    Database, FunctionChange, FunctionPoint, FunctionSum, FunctionUsage, FunctionsOf, NewFunction, NewProvider,
    NewUser, NewVolume, Secret, StorageError, StoredCode, UsageRow, VolumeChange, on_both_engines,
};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// MiB of all volumes of one person.
const ROOM: u64 = 256;
const SYSTEM: Principal = Principal::System("test");

async fn person(database: &Database, name: &str) -> Principal {
    let new = NewUser {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role: Role::Admin,
        password_hash: "none".to_owned(),
    };
    let user = database.create_user(&SYSTEM, new, NOW).await.unwrap();
    Principal::User { id: user.id, role: Role::Admin, epoch: 1, via: Via::Session(SessionId::generate(NOW)) }
}

/// Code whose blob is called by one letter.
async fn code(database: &Database, letter: char) -> StoredCode {
    let digest = letter.to_string().repeat(64);
    assert!(database.claim_blob(&digest, NOW).await.unwrap());
    let file =
        CodeFile { path: format!("{letter}.py"), bytes: 1, digest: digest.clone(), executable: false, text: true };
    StoredCode { digest, files: vec![file] }
}

async fn function(database: &Database, who: &Principal, name: &str) -> Function {
    let new = NewFunction {
        name: name.to_owned(),
        profile: FunctionProfile::default(),
        language: Language::Python,
        template: None,
        settings: json!({ "command": ["python3", "a.py"] }),
        code: code(database, 'a').await,
        models: ModelAccess::Off,
    };
    database.create_function(who, new, NOW).await.unwrap()
}

/// A minute of a function, so many minutes after the beginning.
fn minute(function: FunctionId, minutes: u64, calls: u64, much: u64) -> FunctionUsage {
    FunctionUsage {
        function,
        version: Some(1),
        alias: "live".to_owned(),
        caller: None,
        minute: NOW.plus(Duration::from_mins(minutes)),
        server: InstanceId::generate(NOW),
        calls,
        errors: 1,
        cold_starts: 2,
        duration_us: 5,
        cpu_us: much,
        memory_mib_ms: much + 1,
        latencies: json!([]),
        cold: json!({}),
    }
}

/// A call of a model by a function, so many milliseconds after the beginning.
fn asked(who: &Principal, function: Option<FunctionId>, ms: u64, outcome: &str, cost: Option<u64>) -> UsageRow {
    let at = NOW.plus(Duration::from_millis(ms));
    UsageRow {
        id: UsageId::generate(at),
        at,
        user: who.user_id(),
        api_key: None,
        generation: None,
        function,
        model: "a/b".to_owned(),
        provider: None,
        outcome: outcome.to_owned(),
        usage: Usage { prompt_tokens: 10, completion_tokens: 3, cached_tokens: 2, reasoning_tokens: 1, cost },
        timings: Timings::default(),
        by_browser: false,
    }
}

async fn change(database: &Database, who: &Principal, id: FunctionId, letter: char) -> Function {
    let revision = database.function(who, id).await.unwrap().revision;
    let change = FunctionChange {
        code: Some(code(database, letter).await),
        revision: Some(revision),
        ..FunctionChange::default()
    };
    database.change_function(who, id, change, NOW).await.unwrap()
}

async fn publish(database: &Database, who: &Principal, function: &Function) -> u32 {
    let digest = format!("digest of {}", function.revision);
    let note = "new".to_owned();
    database.publish_function(who, function.id, function.revision, digest, note, NOW).await.unwrap().number
}

fn refused<T: std::fmt::Debug>(result: Result<T, StorageError>) -> &'static str {
    match result.unwrap_err() {
        StorageError::Refused(why) => why,
        error => panic!("{error}"),
    }
}

/// The keys of what is kept.
async fn builds(raw: &DatabaseConnection) -> String {
    let query = r#"SELECT "key" FROM function_builds WHERE part = 0 ORDER BY "key""#;
    let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), query)).await.unwrap();
    rows.iter().map(|row| row.try_get::<String>("", "key").unwrap()).collect::<Vec<_>>().join(" ")
}

on_both_engines! {
    async fn volumes_of_a_person_have_a_size_together(test: TestDatabase) {
        let (database, other) = (&test.database, test.open_again().await);
        let (ada, charles) = (person(database, "ada").await, person(database, "charles").await);
        let new = |name: &str, size_mib| NewVolume { name: name.to_owned(), description: String::new(), size_mib };
        let made = |name: &'static str, size_mib| database.create_function_volume(&ada, new(name, size_mib), ROOM, NOW);
        let size = |size_mib| VolumeChange { size_mib: Some(size_mib), ..VolumeChange::default() };
        let (one, two) = tokio::join!(made("one", 160), other.create_function_volume(&ada, new("two", 160), ROOM, NOW));
        let (kept, lost) = match (one, two) {
            (Ok(kept), lost) | (lost, Ok(kept)) => (kept.name, lost),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused(lost), "the volumes would be too large together");
        made("three", 64).await.unwrap();
        assert_eq!(refused(made("four", 64).await), "the volumes would be too large together");
        database.create_function_volume(&charles, new("own", 256), ROOM, NOW).await.unwrap();
        let change = |name: &str, mib, most| {
            let name = name.to_owned();
            let ada = &ada;
            async move { database.change_function_volume(ada, &name, size(mib), most).await }
        };
        assert_eq!(refused(change(&kept, 193, ROOM).await), "the volumes would be too large together");
        let (one, two) = tokio::join!(
            change(&kept, 192, ROOM),
            other.change_function_volume(&ada, "three", size(96), ROOM),
        );
        assert!(one.is_ok() != two.is_ok(), "there is room for one of them to grow");
        // The operator has changed their mind: what is there stays, and may become smaller.
        assert_eq!(refused(made("four", 64).await), "the volumes would be too large together");
        change(&kept, 100, 64).await.unwrap();
        assert_eq!(refused(change(&kept, 101, 64).await), "the volumes would be too large together");
        database.remove_function_volume(&ada, &kept, NOW).await.unwrap();
        made("four", 160).await.unwrap();
    }

    async fn a_volume_is_its_owners_and_stays_while_a_function_mounts_it(test: TestDatabase) {
        let database = test.database;
        let (ada, charles) = (person(&database, "ada").await, person(&database, "charles").await);
        let new = || NewVolume { name: "notes".to_owned(), description: String::new(), size_mib: 64 };
        let volume = database.create_function_volume(&ada, new(), ROOM, NOW).await.unwrap();
        assert!(matches!(database.create_function_volume(&ada, new(), ROOM, NOW).await, Err(StorageError::Taken("name"))));
        let theirs = database.create_function_volume(&charles, new(), ROOM, NOW).await.unwrap();
        assert!(theirs.id != volume.id && theirs.owner != volume.owner, "names are everybody's own");
        assert_eq!(database.function_volumes(&charles).await.unwrap().len(), 1);
        assert!(matches!(database.function_volume(&SYSTEM, "notes").await, Err(StorageError::NotFound | StorageError::Forbidden)));
        let first = function(&database, &ada, "one").await;
        let with = |volumes: serde_json::Value, revision| FunctionChange {
            settings: Some(json!({ "command": ["a"], "volumes": volumes })),
            revision: Some(revision),
            ..FunctionChange::default()
        };
        let mount = |name: &str| json!([{ "volume": name, "path": "/data", "read_only": true }]);
        let none = database.change_function(&ada, first.id, with(mount("none"), 1), NOW).await;
        assert!(matches!(none, Err(StorageError::Refused("there is no such volume"))));
        database.change_function(&ada, first.id, with(mount("notes"), 1), NOW).await.unwrap();
        assert_eq!(database.function_volume(&ada, "notes").await.unwrap().functions, ["one"]);
        let in_use = |result| assert!(matches!(result, Err(StorageError::Refused("functions mount the volume"))));
        in_use(database.remove_function_volume(&ada, "notes", NOW).await);
        database.publish_function(&ada, first.id, 2, "a".repeat(64), String::new(), NOW).await.unwrap();
        database.change_function(&ada, first.id, with(json!([]), 2), NOW).await.unwrap();
        in_use(database.remove_function_volume(&ada, "notes", NOW).await);
        database.publish_function(&ada, first.id, 3, "b".repeat(64), String::new(), NOW).await.unwrap();
        let to = |version| AliasChange { version, canary: None, sticky: None };
        database.put_function_alias(&ada, first.id, "live", to(2), NOW).await.unwrap();
        let removed = database.remove_function_volume(&ada, "notes", NOW).await.unwrap();
        assert_eq!(database.removed_function_volumes().await.unwrap(), [removed]);
        let back = database.put_function_alias(&ada, first.id, "live", to(1), NOW).await;
        assert!(matches!(back, Err(StorageError::Refused("there is no such volume"))));
        // Its name is free before its files are gone.
        let again = database.create_function_volume(&ada, new(), ROOM, NOW).await.unwrap();
        database.forget_function_volume(again.id).await.unwrap();
        database.forget_function_volume(removed.id).await.unwrap();
        assert_eq!(database.removed_function_volumes().await.unwrap(), []);
        assert_eq!(database.function_volume(&ada, "notes").await.unwrap().id, again.id);
        database.put_function_alias(&ada, first.id, "live", to(1), NOW).await.unwrap();
        let size = VolumeChange { size_mib: Some(128), ..VolumeChange::default() };
        assert!(matches!(database.change_function_volume(&charles, "none", size.clone(), ROOM).await, Err(StorageError::NotFound)));
        assert_eq!(database.change_function_volume(&ada, "notes", size, ROOM).await.unwrap().most_bytes(), 128 << 20);
        assert_eq!(database.function_volume(&charles, "notes").await.unwrap().size_mib, 64);
    }

    async fn a_version_stays_as_it_was_and_the_first_goes_live(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        assert!(made.changed && made.latest_version.is_none() && made.aliases.is_empty());
        assert_eq!(publish(database, &ann, &made).await, 1);
        let published = database.function(&ann, made.id).await.unwrap();
        assert!(!published.changed);
        assert_eq!(published.aliases[0].name, "live");
        let again = database.publish_function(&ann, made.id, made.revision, "digest of 1".to_owned(), String::new(), NOW);
        assert_eq!(refused(again.await), "nothing has changed since the latest version");
        let changed = change(database, &ann, made.id, 'b').await;
        assert!(changed.changed && changed.revision == 2);
        let stale = database.publish_function(&ann, made.id, 1, "x".to_owned(), String::new(), NOW).await;
        assert_eq!(refused(stale), "the function was changed meanwhile");
        let stale = FunctionChange { settings: Some(json!({})), revision: Some(1), ..FunctionChange::default() };
        assert_eq!(refused(database.change_function(&ann, made.id, stale, NOW).await), "the function was changed meanwhile");
        assert_eq!(publish(database, &ann, &changed).await, 2);
        let versions = database.function_versions(&ann, made.id).await.unwrap();
        let seen: Vec<_> = versions.iter().map(|version| (version.number, version.files[0].path.as_str())).collect();
        assert_eq!(seen, [(2, "b.py"), (1, "a.py")]);
        assert_eq!(versions[0].created_by.as_ref().unwrap().name, "ann");
        assert_eq!(database.function_version_code(&ann, made.id, 1).await.unwrap().digest, "a".repeat(64));
        let latest = database.runnable_version(&SYSTEM, made.id, None).await.unwrap();
        assert_eq!(latest.code.digest, "b".repeat(64));
        assert!(matches!(database.runnable_version(&SYSTEM, made.id, Some(3)).await, Err(StorageError::NotFound)));
    }

    async fn an_alias_tries_promotes_and_goes_back(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        publish(database, &ann, &made).await;
        let changed = change(database, &ann, made.id, 'b').await;
        publish(database, &ann, &changed).await;
        let put = |version, canary: Option<u8>| {
            let canary = canary.map(|percent| Canary { version: 2, percent });
            database.put_function_alias(&ann, made.id, "live", AliasChange { version, canary, sticky: None }, NOW)
        };
        assert_eq!(refused(database.promote_function_alias(&ann, made.id, "live", NOW).await), "the alias tries no version");
        assert_eq!(refused(database.roll_back_function_alias(&ann, made.id, "live", NOW).await), "the alias was nothing else before");
        assert_eq!(refused(put(9, None).await), "there is no such version");
        put(1, Some(10)).await.unwrap();
        let stopped = database.roll_back_function_alias(&ann, made.id, "live", NOW).await.unwrap();
        assert_eq!(stopped.route, AliasRoute { version: 1, canary: None }, "what was tried is tried no more");
        put(1, Some(20)).await.unwrap();
        let promoted = database.promote_function_alias(&ann, made.id, "live", NOW).await.unwrap();
        assert_eq!(promoted.route, AliasRoute { version: 2, canary: None });
        let back = database.roll_back_function_alias(&ann, made.id, "live", NOW).await.unwrap();
        assert_eq!(back.route, AliasRoute { version: 1, canary: None });
        let forth = database.roll_back_function_alias(&ann, made.id, "live", NOW).await.unwrap();
        assert_eq!(forth.route.version, 2, "and forth again");
        assert_eq!(refused(database.delete_function_alias(&ann, made.id, "live").await), "the alias `live` stays");
        let next = AliasChange { version: 1, canary: None, sticky: None };
        database.put_function_alias(&ann, made.id, "next", next, NOW).await.unwrap();
        let http = Some(HttpTrigger { access: HttpAccess::Public, alias: "next".to_owned(), jwt: None, inside: false });
        database.change_function(&ann, made.id, FunctionChange { http, ..FunctionChange::default() }, NOW).await.unwrap();
        assert_eq!(refused(database.delete_function_alias(&ann, made.id, "next").await), "the alias is in use");
    }

    async fn a_function_is_its_makers_and_its_name_nobody_elses(test: TestDatabase) {
        let database = &test.database;
        let (ann, bob) = (person(database, "ann").await, person(database, "bob").await);
        let made = function(database, &ann, "agent").await;
        publish(database, &ann, &made).await;
        let taken = NewFunction {
            name: "agent".to_owned(),
            profile: FunctionProfile::default(),
            language: Language::Other,
            template: None,
            settings: json!({}),
            code: code(database, 'a').await,
            models: ModelAccess::Off,
        };
        assert!(matches!(database.create_function(&bob, taken, NOW).await, Err(StorageError::Taken("name"))));
        let secret = Secret::new("x");
        let id = made.id;
        let not_found = [
            database.function(&bob, id).await.map(|_| ()),
            database.function_code(&bob, id).await.map(|_| ()),
            database.function_versions(&bob, id).await.map(|_| ()),
            database.function_version_code(&bob, id, 1).await.map(|_| ()),
            database.change_function(&bob, id, FunctionChange::default(), NOW).await.map(|_| ()),
            database.promote_function_alias(&bob, id, "live", NOW).await.map(|_| ()),
            database.delete_function_alias(&bob, id, "live2").await,
            database.put_function_secret(&bob, id, "TOKEN", &secret).await,
            database.delete_function_secret(&bob, id, "TOKEN").await,
            database.set_function_model(&bob, id, None).await,
            database.function_usage(&bob, id, NOW, None).await.map(|_| ()),
            database.function_callers(&bob, id, []).await.map(|_| ()),
            database.function_timers(&bob, id).await.map(|_| ()),
            database.delete_function(&bob, id).await,
        ];
        for (place, result) in not_found.into_iter().enumerate() {
            assert!(matches!(result, Err(StorageError::NotFound)), "{place}");
        }
        assert!(database.functions(&bob).await.unwrap().is_empty());
        assert_eq!(database.functions(&ann).await.unwrap()[0].latest_version, Some(1));
    }

    async fn secrets_are_sealed_and_every_change_tells_instances_apart(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        for value in ["first", "second"] {
            database.put_function_secret(&ann, made.id, "TOKEN", &Secret::new(value)).await.unwrap();
        }
        assert_eq!(database.function(&ann, made.id).await.unwrap().secrets, ["TOKEN"]);
        assert_eq!(database.callable_function(&SYSTEM, "agent").await.unwrap().secrets_revision, 2);
        let runnable = database.runnable_version(&SYSTEM, made.id, None).await.unwrap();
        assert_eq!(runnable.secrets["TOKEN"].expose(), "second");
        database.delete_function_secret(&ann, made.id, "TOKEN").await.unwrap();
        assert!(database.runnable_version(&SYSTEM, made.id, None).await.unwrap().secrets.is_empty());
    }

    async fn code_that_a_version_lies_in_is_not_removed(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        publish(database, &ann, &made).await;
        change(database, &ann, made.id, 'b').await;
        change(database, &ann, made.id, 'c').await;
        for letter in ['d', 'e'] {
            database.claim_blob(&letter.to_string().repeat(64), NOW).await.unwrap();
        }
        let parts = ['d', 'e'].map(|letter| letter.to_string().repeat(64));
        let code = "a".repeat(64);
        assert!(database.keep_function_build("key", &code, &parts, NOW).await.unwrap());
        assert!(!database.keep_function_build("key", &code, &parts[..1], NOW).await.unwrap());
        assert_eq!(database.use_function_build("key", &code).await.unwrap(), parts, "the first one stays");
        assert!(database.use_function_build("other", &code).await.unwrap().is_empty());
        let later = NOW.plus(Duration::from_hours(2));
        let condemned = database.condemn_blobs(later, later, 100).await.unwrap();
        assert_eq!(condemned, ["b".repeat(64)], "`a` is version 1, `c` the next, `d` and `e` are packages");
    }

    async fn packages_go_a_day_after_the_last_code_that_wants_them(test: TestDatabase) {
        let (database, raw) = (&test.database, sea_orm::Database::connect(&test.url).await.unwrap());
        let there = async || builds(&raw).await;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        let digest = |letter: char| letter.to_string().repeat(64);
        for (key, code, part) in [("first", 'a', 'x'), ("second", 'b', 'y'), ("third", 'c', 'z')] {
            database.claim_blob(&digest(part), NOW).await.unwrap();
            database.keep_function_build(key, &digest(code), &[digest(part)], NOW).await.unwrap();
        }
        let sweep = async |at: Timestamp| database.sweep_function_builds(at.minus(DAY), at).await.unwrap();
        // Version 1 is `a`, the next one `b`, and `c` is nothing.
        publish(database, &ann, &made).await;
        change(database, &ann, made.id, 'b').await;
        assert_eq!(sweep(NOW).await, 0);
        assert_eq!(sweep(NOW.plus(DAY)).await, 0, "a day is not over");
        let mut at = NOW.plus(DAY).plus(MINUTE);
        assert_eq!((sweep(at).await, there().await.as_str()), (1, "first second"));
        assert!(database.condemn_blobs(at, at, 10).await.unwrap().contains(&digest('z')), "its blob goes as others do");
        // Somebody comes back before the day is over, and it begins anew.
        change(database, &ann, made.id, 'c').await;
        sweep(at).await;
        at = at.plus(DAY);
        change(database, &ann, made.id, 'b').await;
        change(database, &ann, made.id, 'd').await;
        at = at.plus(MINUTE);
        assert_eq!((sweep(at).await, there().await.as_str()), (0, "first second"));
        // Other code may want the same.
        assert_eq!(database.use_function_build("second", &digest('d')).await.unwrap(), [digest('y')]);
        at = at.plus(DAY).plus(MINUTE);
        assert_eq!((sweep(at).await, there().await.as_str()), (0, "first second"));
        database.delete_function(&ann, made.id).await.unwrap();
        sweep(at).await;
        assert_eq!(there().await, "first second");
        at = at.plus(DAY).plus(MINUTE);
        assert_eq!((sweep(at).await, there().await.as_str()), (2, ""));
        // Who wanted what was there before is not known.
        database.keep_function_build("first", &digest('a'), &[digest('x')], NOW).await.unwrap();
        raw.execute_unprepared("UPDATE function_builds SET uses_known = false").await.unwrap();
        sweep(at).await;
        at = at.plus(DAY).plus(MINUTE);
        assert_eq!((sweep(at).await, there().await.as_str()), (0, "first"));
    }

    async fn whoever_uses_packages_while_they_are_swept_has_them_or_knows_that_they_are_gone(test: TestDatabase) {
        let (one, other) = (&test.database, test.open_again().await);
        let raw = sea_orm::Database::connect(&test.url).await.unwrap();
        let ann = person(one, "ann").await;
        function(one, &ann, "agent").await;
        let (live, gone, part) = ("a".repeat(64), "b".repeat(64), ["x".repeat(64)]);
        let mut at = NOW;
        let mut swept = 0;
        for round in 0..30 {
            one.claim_blob(&part[0], at).await.unwrap();
            let (first, second) =
                tokio::join!(one.keep_function_build("key", &gone, &part, at), other.keep_function_build("key", &gone, &part, at));
            assert!(first.unwrap() != second.unwrap(), "one of them has kept it");
            one.sweep_function_builds(at.minus(DAY), at).await.unwrap();
            at = at.plus(DAY).plus(MINUTE);
            let (limit, now) = (at.minus(DAY), at);
            let using = async {
                // Each comes first now and then.
                tokio::time::sleep(Duration::from_micros(round % 10 * 300)).await;
                one.use_function_build("key", &live).await.unwrap()
            };
            let (used, here, there) = tokio::join!(
                using,
                other.sweep_function_builds(limit, now),
                one.sweep_function_builds(limit, now),
            );
            let count = here.unwrap() + there.unwrap();
            assert_eq!((used.len(), builds(&raw).await.as_str()), if count == 0 { (1, "key") } else { (0, "") });
            swept += count;
            raw.execute_unprepared("DELETE FROM function_build_uses").await.unwrap();
            raw.execute_unprepared("DELETE FROM function_builds").await.unwrap();
        }
        assert!(swept > 0, "nothing was swept in any round");
    }

    async fn an_account_written_twice_counts_once(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "agent").await;
        let row = |server, calls| FunctionUsage {
            function: made.id,
            version: Some(1),
            alias: "live".to_owned(),
            caller: None,
            minute: NOW,
            server,
            calls,
            errors: 1,
            cold_starts: 1,
            duration_us: 5,
            cpu_us: 6,
            memory_mib_ms: 7,
            latencies: json!([1, 2]),
            cold: json!({ "queue_us": 1 }),
        };
        let (one, other) = (InstanceId::generate(NOW), InstanceId::generate(NOW));
        // The last of these comes late.
        for rows in [vec![row(one, 2)], vec![row(one, 3), row(other, 4)], vec![row(one, 3)], vec![row(one, 2)]] {
            database.record_function_usage(&SYSTEM, &rows).await.unwrap();
        }
        let (rows, next) = database.function_usage(&ann, made.id, NOW, None).await.unwrap();
        let mut calls: Vec<_> = rows.iter().map(|row| row.calls).collect();
        calls.sort_unstable();
        assert_eq!((calls, next.is_none()), (vec![3, 4], true));
        let later = NOW.plus(Duration::from_millis(1));
        assert!(database.function_usage(&ann, made.id, later, None).await.unwrap().0.is_empty());
        assert!(matches!(database.record_function_usage(&ann, &[]).await, Err(StorageError::Forbidden)));
        // However many minutes there are, all of them are read, and none twice.
        let minutes = 0..6_000_u64;
        let at = |minute: u64| FunctionUsage { minute: NOW.plus(Duration::from_mins(minute + 1)), ..row(one, 1) };
        for some in minutes.clone().collect::<Vec<_>>().chunks(1_000) {
            let rows: Vec<_> = some.iter().map(|minute| at(*minute)).collect();
            database.record_function_usage(&SYSTEM, &rows).await.unwrap();
        }
        let (mut read, mut from) = (Vec::new(), None);
        loop {
            let (rows, next) = database.function_usage(&ann, made.id, later, from).await.unwrap();
            read.extend(rows.iter().map(|row| row.minute));
            from = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(read, minutes.map(|minute| at(minute).minute).collect::<Vec<_>>());
        let names = database.function_callers(&ann, made.id, ann.user_id()).await.unwrap();
        assert_eq!(names.len(), 1);
        database.delete_function(&ann, made.id).await.unwrap();
        // Its last minute comes too late, and harms nobody.
        database.record_function_usage(&SYSTEM, &[row(one, 9)]).await.unwrap();
    }

    async fn accounts_add_up_by_function_and_over_time_and_are_their_owners(test: TestDatabase) {
        let database = &test.database;
        let (ann, bob) = (person(database, "ann").await, person(database, "bob").await);
        let (one, two) = (function(database, &ann, "one").await.id, function(database, &ann, "two").await.id);
        let (idle, theirs) = (function(database, &ann, "idle").await.id, function(database, &bob, "theirs").await.id);
        // What does not fit 53 bits is exact as well.
        let much = (1 << 60) + 1;
        let rows = [
            minute(one, 0, 1, 1_000),
            minute(one, 1, 2, much),
            minute(one, 1, 3, 10),
            minute(one, 3, 4, 20),
            minute(two, 3, 5, 30),
            minute(theirs, 3, 100, 1_000_000),
        ];
        database.record_function_usage(&SYSTEM, &rows).await.unwrap();
        let calls = vec![
            asked(&ann, Some(one), 59_999, "stop", Some(1_000)),
            asked(&ann, Some(one), 60_000, "stop", Some(7)),
            asked(&ann, Some(one), 61_000, "rate_limited", None),
            asked(&ann, None, 61_000, "stop", Some(50)),
            asked(&bob, Some(theirs), 61_000, "stop", Some(90)),
            asked(&ann, Some(idle), 200_000, "stop", None),
            asked(&ann, Some(FunctionId::generate(NOW)), 61_000, "stop", Some(60)),
        ];
        database.record_usage(&SYSTEM, calls).await.unwrap();

        let since = NOW.plus(Duration::from_mins(1));
        let sum = |calls, rows: u64, cpu_us, memory_mib_ms| FunctionSum { calls, errors: rows, cold_starts: rows * 2, cpu_us, memory_mib_ms };
        let models = |calls, failed, cost| UsageSum {
            calls, failed, prompt_tokens: calls * 10, cached_tokens: calls * 2, completion_tokens: calls * 3, reasoning_tokens: calls, cost,
        };
        let told = async |who: &Principal, of| -> Vec<_> {
            let accounts = database.function_accounts(who, of, since).await.unwrap();
            accounts.into_iter().map(|account| (account.function, account.owner_name, account.taken, account.models)).collect()
        };
        let own = [
            (idle, "ann".to_owned(), FunctionSum::default(), models(1, 0, None)),
            (one, "ann".to_owned(), sum(9, 3, much + 30, much + 33), models(2, 1, Some(7))),
            (two, "ann".to_owned(), sum(5, 1, 30, 31), UsageSum::default()),
        ];
        assert_eq!(told(&ann, FunctionsOf::Mine).await, own);
        let foreign = (theirs, "bob".to_owned(), sum(100, 1, 1_000_000, 1_000_001), models(1, 0, Some(90)));
        assert_eq!(told(&bob, FunctionsOf::Mine).await, std::slice::from_ref(&foreign));
        assert_eq!(told(&bob, FunctionsOf::Person(ann.user_id().unwrap())).await, own);
        let [idle_line, one_line, two_line] = own;
        assert_eq!(told(&bob, FunctionsOf::Everybody).await, [idle_line, one_line, foreign, two_line]);
        assert_eq!(database.function_models(&ann, one, since).await.unwrap(), models(2, 1, Some(7)));
        assert_eq!(database.function_models(&ann, two, since).await.unwrap(), UsageSum::default());
        assert!(matches!(database.function_models(&bob, one, since).await, Err(StorageError::NotFound)));

        let points = database.function_points(&ann, FunctionsOf::Mine, since, 120_000).await.unwrap();
        let point = |minutes, taken, models_cost| FunctionPoint { at: NOW.plus(Duration::from_mins(minutes)), taken, models_cost };
        assert_eq!(points, [
            point(0, sum(5, 2, much + 10, much + 12), Some(7)),
            point(2, sum(9, 2, 50, 52), None),
        ]);
        let later = NOW.plus(Duration::from_hours(1));
        assert!(database.function_accounts(&ann, FunctionsOf::Mine, later).await.unwrap().is_empty());
        assert!(database.function_points(&ann, FunctionsOf::Mine, later, 60_000).await.unwrap().is_empty());

        // Only administrators see what everybody's took.
        let eve = Principal::User { id: bob.user_id().unwrap(), role: Role::Member, epoch: 1, via: Via::Session(SessionId::generate(NOW)) };
        for of in [FunctionsOf::Everybody, FunctionsOf::Person(ann.user_id().unwrap())] {
            assert!(matches!(database.function_accounts(&eve, of, since).await, Err(StorageError::Forbidden)));
            assert!(matches!(database.function_points(&eve, of, since, 60_000).await, Err(StorageError::Forbidden)));
        }
        database.delete_function(&ann, one).await.unwrap();
        assert_eq!(told(&ann, FunctionsOf::Mine).await.len(), 2, "with a function, its account goes");
    }

    async fn a_timer_is_taken_by_one_server(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let made = function(database, &ann, "job").await;
        let profile = TimerProfile {
            cron: "* * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            alias: "live".to_owned(),
            path: "/run".to_owned(),
            body: String::new(),
            enabled: true,
        };
        let timer = database.put_function_timer(&ann, made.id, None, &profile, Some(NOW), NOW).await.unwrap();
        assert!(database.due_function_timers(NOW.minus(Duration::from_millis(1)), 10).await.unwrap().is_empty());
        let due = database.due_function_timers(NOW, 10).await.unwrap().pop().unwrap();
        let next = Some(NOW.plus(Duration::from_mins(1)));
        assert!(database.take_function_timer(&due, next).await.unwrap());
        assert!(!database.take_function_timer(&due, next).await.unwrap(), "the other comes too late");
        let run = TimerRun { at: NOW, status: Some(200), problem: None };
        database.note_timer_run(timer.id, &run).await.unwrap();
        let kept = database.function_timers(&ann, made.id).await.unwrap();
        assert_eq!((kept[0].next_at, kept[0].last.as_ref()), (next, Some(&run)));
        let off = TimerProfile { enabled: false, ..profile };
        database.put_function_timer(&ann, made.id, Some(timer.id), &off, None, NOW).await.unwrap();
        assert!(database.due_function_timers(NOW.plus(Duration::from_hours(1)), 10).await.unwrap().is_empty());
        let other = function(database, &ann, "other").await;
        let foreign = database.delete_function_timer(&ann, other.id, timer.id).await;
        assert!(matches!(foreign, Err(StorageError::NotFound)));
        database.delete_function_timer(&ann, made.id, timer.id).await.unwrap();
    }

    async fn a_model_goes_with_its_function_and_a_function_stays_without_its_model(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database, "ann").await;
        let mut made = Vec::new();
        for name in ["one", "two"] {
            let function = function(database, &ann, name).await;
            let provider = NewProvider {
                name: name.to_owned(),
                slug: name.to_owned(),
                kind: ProviderKind::Openai,
                base_url: "http://x.test".to_owned(),
                api_key: None,
                enabled: true,
            };
            let provider = database.create_provider(&ann, provider, NOW).await.unwrap().id;
            database.set_function_model(&ann, function.id, Some((provider, "live".to_owned()))).await.unwrap();
            made.push((function.id, provider));
        }
        assert_eq!(database.function(&ann, made[0].0).await.unwrap().model.unwrap().provider_id, made[0].1);
        database.delete_function(&ann, made[0].0).await.unwrap();
        assert!(matches!(database.provider(&ann, made[0].1).await, Err(StorageError::NotFound)));
        database.delete_provider(&ann, made[1].1).await.unwrap();
        assert!(database.function(&ann, made[1].0).await.unwrap().model.is_none());
    }
}

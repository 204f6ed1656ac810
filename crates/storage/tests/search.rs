//! What search promises, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use stoa_model::completion::Parameters;
use stoa_model::conversation::{MessageRole, MessageStatus, Part};
use stoa_model::person::Role;
use stoa_model::search::SearchHit;
use stoa_model::{ConversationId, InstanceId, MessageId, Principal, SessionId, Timestamp, UserId, Via};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{
    Append, AppendOutcome, ConversationChange, Database, Engine, NewConversation, NewTurn, NewUser, Outcome,
    SearchFilter, SearchPage, SearchQuery, StorageError, TurnIds, TurnLimits, TurnParent, on_both_engines,
};

const DAY: u64 = 86_400_000;
const LIMITS: TurnLimits = TurnLimits { running_per_user: 10_000, history: 1, personal_providers: false };
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const INSTANCE: InstanceId = InstanceId::from_uuid(uuid::Uuid::from_u128(7));

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

async fn two_people(database: &Database) -> (Principal, Principal) {
    let new = |name: &str, role| NewUser {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role,
        password_hash: "$argon2id$not-a-real-hash".to_owned(),
    };
    let acting = |id: UserId, role| Principal::User { id, role, epoch: 1, via: Via::Session(SessionId::generate(NOW)) };
    let owner = database.create_first_owner(new("owner", Role::Owner), NOW).await.unwrap();
    let owner = acting(owner.id, Role::Owner);
    let ann = database.create_user(&owner, new("ann", Role::Member), NOW).await.unwrap();
    (acting(ann.id, Role::Member), owner)
}

async fn conversation(database: &Database, who: &Principal, title: &str, at: u64) -> ConversationId {
    let title = Some(title.to_owned()).filter(|title| !title.is_empty());
    let new = NewConversation { title, ..NewConversation::default() };
    database.create_conversation(who, new, later(at)).await.unwrap().id
}

fn parts(text: &str) -> Vec<Part> {
    vec![Part::Text { text: text.to_owned() }]
}

async fn ask(database: &Database, who: &Principal, conversation: ConversationId, text: &str, at: u64) -> TurnIds {
    let turn = NewTurn::Message {
        conversation,
        parent: TurnParent::Leaf,
        parts: parts(text),
        model: "mock/echo".to_owned(),
        parameters: Parameters::default(),
        assistant: None,
        title: "Given at first".to_owned(),
    };
    database.begin_turn(who, turn, INSTANCE, LIMITS, later(at)).await.unwrap()
}

async fn answer(database: &Database, turn: &TurnIds, text: &str) {
    let mut all = vec![Part::Reasoning { text: "pondering".to_owned(), duration_ms: 1 }];
    all.extend(parts(text));
    let outcome = Outcome {
        status: MessageStatus::Complete,
        parts: all,
        usage: None,
        timings: None,
        error: None,
        stand_in: None,
        finish_reason: None,
        last_seq: 0,
        calls: Vec::new(),
    };
    let append = Append { generation: turn.generation, lease: turn.lease, chunk: None, outcome: Some(outcome) };
    let done = database.append_generations(&[append], NOW).await.unwrap();
    assert_eq!(done, [AppendOutcome::Appended { stop_requested: false }]);
}

async fn page(database: &Database, who: &Principal, query: &str, filter: &SearchFilter) -> SearchPage {
    let query = SearchQuery::parse(query).unwrap();
    database.search(who, &query, filter, None, 50).await.unwrap()
}

async fn search(database: &Database, who: &Principal, query: &str) -> Vec<SearchHit> {
    page(database, who, query, &SearchFilter::default()).await.items
}

/// The snippets of what is found, in order.
async fn texts(database: &Database, who: &Principal, query: &str) -> Vec<String> {
    search(database, who, query).await.into_iter().map(|hit| hit.snippet.text).collect()
}

/// A connection beside Stoa's, for what an earlier version would write.
async fn raw(test: &TestDatabase) -> DatabaseConnection {
    sea_orm::Database::connect(&test.url).await.unwrap()
}

on_both_engines! {
    async fn what_is_written_is_found_at_once(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "", 0).await;
        let turn = ask(database, &ann, id, "Where do Penguins live?", 1).await;
        let hits = search(database, &ann, "penguin").await;
        assert_eq!(hits.len(), 1, "{hits:?}");
        let hit = &hits[0];
        assert_eq!((hit.conversation_id, hit.message_id), (id, Some(turn.message)));
        assert_eq!((hit.role, hit.at), (Some(MessageRole::User), later(1)));
        assert_eq!(hit.conversation_title, "Given at first");
        assert_eq!(hit.snippet.text, "Where do Penguins live?");
        assert_eq!((hit.snippet.highlights[0].start, hit.snippet.highlights[0].end), (9, 17));
        answer(database, &turn, "In the Antarctic, and on the Galápagos.").await;
        assert_eq!(search(database, &ann, "galapagos").await[0].message_id, Some(turn.reply));
        assert!(search(database, &ann, "pondering").await.is_empty(), "thoughts are no text");
        assert!(page(database, &ann, "penguin", &SearchFilter::default()).await.complete);
        // The title that the first message gave, that a model gave, that somebody gave.
        assert_eq!(search(database, &ann, "given").await[0].message_id, None);
        assert!(database.suggest_title(&ann, id, "Birds of the south").await.unwrap());
        assert!(search(database, &ann, "given").await.is_empty());
        assert_eq!(texts(database, &ann, "birds south").await, ["Birds of the south"]);
        let change = ConversationChange { title: Some("企鹅的家".to_owned()), ..ConversationChange::default() };
        database.change_conversation(&ann, id, change, NOW).await.unwrap();
        assert!(search(database, &ann, "birds").await.is_empty());
        assert_eq!(texts(database, &ann, "企鹅").await, ["企鹅的家"]);
    }

    async fn an_answer_that_was_cut_off_is_found_and_so_is_its_rest(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "x", 0).await;
        let turn = ask(database, &ann, id, "Go on", 1).await;
        assert!(search(database, &ann, "halfway").await.is_empty());
        let cut = database.interrupt_orphan(turn.generation, later(9), later(9), |_, _| parts("came halfway"));
        assert!(cut.await.unwrap());
        assert_eq!(texts(database, &ann, "halfway").await, ["came halfway"]);
        let more = NewTurn::Continue { answer: turn.reply };
        let more = database.begin_turn(&ann, more, INSTANCE, LIMITS, later(10)).await.unwrap();
        assert_eq!(texts(database, &ann, "halfway").await, ["came halfway"], "it is found while it goes on");
        answer(database, &more, "came halfway and further").await;
        assert_eq!(texts(database, &ann, "halfway further").await, ["came halfway and further"]);
        assert_eq!(search(database, &ann, "halfway").await.len(), 1);
    }

    async fn nobody_finds_what_is_anothers(test: TestDatabase) {
        let database = &test.database;
        let (ann, owner) = two_people(database).await;
        let id = conversation(database, &ann, "Secret garden", 0).await;
        ask(database, &ann, id, "The key is under the secret stone", 1).await;
        let own = conversation(database, &owner, "Nothing", 2).await;
        for word in ["secret", "\"secret stone\"", "sec"] {
            assert!(search(database, &owner, word).await.is_empty(), "{word}");
        }
        for of in [id, own] {
            let filter = SearchFilter { conversation: Some(of), ..SearchFilter::default() };
            let page = page(database, &owner, "secret", &filter).await;
            assert!(page.items.is_empty() && page.next.is_none());
        }
        // Neither do the tokens of the index say anything: they are no letters.
        let whose = ann.user_id().unwrap().as_uuid().simple();
        for query in [format!("\u{E000}m{whose} secret"), format!("m{whose}"), "' | 'secret".to_owned(), "secret\" OR \"a".to_owned()] {
            assert!(search(database, &owner, &query).await.is_empty(), "{query}");
        }
        assert_eq!(search(database, &ann, "secret").await.len(), 2);
        let at = SearchQuery::parse("secret").unwrap();
        let machine = database.search(&Principal::AtTheMachine, &at, &SearchFilter::default(), None, 5).await;
        assert!(matches!(machine, Err(StorageError::Forbidden)));
    }

    async fn what_is_deleted_is_gone_and_comes_back_until_it_is_purged(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "Walrus", 0).await;
        ask(database, &ann, id, "walrus", 1).await;
        database.delete_conversation(&ann, id, later(2)).await.unwrap();
        assert!(search(database, &ann, "walrus").await.is_empty());
        database.restore_conversation(&ann, id).await.unwrap();
        assert_eq!(search(database, &ann, "walrus").await.len(), 2);
        database.delete_conversation(&ann, id, later(3)).await.unwrap();
        assert_eq!(database.purge_conversations(later(4), 9).await.unwrap(), 1);
        let left = |table: &str| format!("SELECT count(*) AS n FROM {table}");
        let raw = raw(&test).await;
        let tables: &[&str] = match database.engine() {
            Engine::Sqlite => &["search_entries", "search_pending", "search_index('walrus')"],
            Engine::Postgres => &["search_entries", "search_pending"],
        };
        for table in tables {
            let row = raw.query_one_raw(sea_orm::Statement::from_string(raw.get_database_backend(), left(table)));
            assert_eq!(row.await.unwrap().unwrap().try_get::<i64>("", "n").unwrap(), 0, "{table}");
        }
    }

    async fn titles_come_first_and_then_the_better_and_newer(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "About tea", 0).await;
        let filler = "and so on ".repeat(60);
        ask(database, &ann, id, &format!("Tea {filler}"), DAY).await;
        ask(database, &ann, id, "Tea, green tea", 2 * DAY).await;
        ask(database, &ann, id, "More tea", 200 * DAY).await;
        ask(database, &ann, id, "Steam teapots", 201 * DAY).await;
        let found = texts(database, &ann, "tea ").await;
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[..3], ["About tea", "More tea", "Tea, green tea"]);
        assert_eq!(search(database, &ann, "tea").await.len(), 5, "the last word may go on");
        let filter = SearchFilter { since: Some(later(2 * DAY)), until: Some(later(201 * DAY)), ..SearchFilter::default() };
        let found = page(database, &ann, "tea", &filter).await.items;
        assert_eq!(found.iter().map(|hit| hit.at).collect::<Vec<_>>(), [later(200 * DAY), later(2 * DAY)]);
    }

    async fn a_search_is_bounded_by_role_and_conversation(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let mut ids = Vec::new();
        for at in [0, 10] {
            let id = conversation(database, &ann, "Olive oil", at).await;
            let turn = ask(database, &ann, id, "olive question", at + 1).await;
            answer(database, &turn, "olive answer").await;
            ids.push(id);
        }
        let of = |role, conversation| SearchFilter { role, conversation, ..SearchFilter::default() };
        let count = async |filter| page(database, &ann, "olive", &filter).await.items.len();
        assert_eq!(count(of(None, None)).await, 6);
        assert_eq!(count(of(Some(MessageRole::User), None)).await, 2);
        assert_eq!(count(of(Some(MessageRole::System), None)).await, 0);
        assert_eq!(count(of(None, Some(ids[0]))).await, 2);
        assert_eq!(count(of(Some(MessageRole::Assistant), Some(ids[1]))).await, 1);
    }

    async fn pages_bring_every_hit_once_whatever_comes_and_goes(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "Needles", 0).await;
        let mut there = BTreeSet::new();
        for at in 0..230 {
            let text = format!("needle {} in the hay {}", at % 7, "straw ".repeat(at % 5));
            let turn = ask(database, &ann, id, &text, at as u64 * 60_000).await;
            there.insert(turn.message);
        }
        let query = SearchQuery::parse("\"needle\" hay").unwrap();
        let (mut found, mut after, mut pages) = (Vec::<MessageId>::new(), None, 0);
        loop {
            let page = database.search(&ann, &query, &SearchFilter::default(), after, 7).await.unwrap();
            assert!(page.items.len() <= 7);
            found.extend(page.items.iter().filter_map(|hit| hit.message_id));
            pages += 1;
            if pages == 3 {
                ask(database, &ann, id, "needle hay, but too late", 99_000_000_000).await;
                raw(&test).await.execute_unprepared("DELETE FROM messages WHERE parts LIKE '%hay, b%'").await.unwrap();
                ask(database, &ann, id, "needle hay, late", 99_000_000_001).await;
            }
            after = page.next.map(|cursor| cursor.to_string().parse().unwrap());
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), 230);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), there);
    }

    async fn a_phrase_is_looked_for_in_bounded_steps(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "x", 0).await;
        ask(database, &ann, id, "first second", 1).await;
        for at in 2..1_200 {
            ask(database, &ann, id, "second first", at).await;
        }
        // The words are in every message, and the phrase in the very last that is looked at.
        let query = SearchQuery::parse("\"first second\"").unwrap();
        let first = database.search(&ann, &query, &SearchFilter::default(), None, 5).await.unwrap();
        assert!(first.items.is_empty() && first.next.is_some());
        let second = database.search(&ann, &query, &SearchFilter::default(), first.next, 5).await.unwrap();
        assert_eq!((second.items.len(), second.next), (1, None));
    }

    async fn what_another_version_wrote_is_indexed_later(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "Kept", 0).await;
        let turn = ask(database, &ann, id, "before", 1).await;
        let raw = raw(&test).await;
        raw.execute_unprepared(r#"UPDATE messages SET parts = '[{"type":"text","text":"after"}]' WHERE role = 'user'"#)
            .await
            .unwrap();
        raw.execute_unprepared("UPDATE conversations SET title = 'Renamed'").await.unwrap();
        let waiting = page(database, &ann, "after", &SearchFilter::default()).await;
        assert!(waiting.items.is_empty() && !waiting.complete);
        assert_eq!(database.index_pending(1).await.unwrap(), 1);
        assert_eq!(database.index_pending(9).await.unwrap(), 1);
        assert_eq!(database.index_pending(9).await.unwrap(), 0);
        let found = page(database, &ann, "after", &SearchFilter::default()).await;
        assert_eq!((found.items[0].message_id, found.complete), (Some(turn.message), true));
        assert!(search(database, &ann, "before").await.is_empty() && search(database, &ann, "kept").await.is_empty());
        assert_eq!(texts(database, &ann, "renamed").await, ["Renamed"]);
        // A text without a word leaves nothing behind; parts that only a later version knows do no harm.
        raw.execute_unprepared(r#"UPDATE messages SET parts = '[{"type":"hologram","text":"x","angle":3}]' WHERE role = 'user'"#)
            .await
            .unwrap();
        assert_eq!(database.index_pending(9).await.unwrap(), 1);
        assert!(search(database, &ann, "after").await.is_empty());
        raw.execute_unprepared("UPDATE messages SET parts = 'no json' WHERE role = 'user'").await.unwrap();
        assert_eq!(database.index_pending(9).await.unwrap(), 1);
        assert!(page(database, &ann, "after", &SearchFilter::default()).await.complete);
    }

    async fn a_database_of_the_release_before_is_indexed_in_steps_by_all_replicas(test: TestDatabase) {
        let (ann, _) = two_people(&test.database).await;
        let id = conversation(&test.database, &ann, "Old times", 0).await;
        for at in 1..=60 {
            let turn = ask(&test.database, &ann, id, &format!("old question {at}"), at).await;
            if at < 60 {
                answer(&test.database, &turn, "old answer").await;
            }
        }
        // As it was before the migration.
        let raw = raw(&test).await;
        for trigger in ["messages_written", "messages_changed", "conversations_made", "conversations_titled"] {
            let on = match test.database.engine() {
                Engine::Sqlite => "",
                Engine::Postgres if trigger.starts_with("messages") => " ON messages",
                Engine::Postgres => " ON conversations",
            };
            raw.execute_unprepared(&format!("DROP TRIGGER {trigger}{on}")).await.unwrap();
        }
        let own: &[&str] = match test.database.engine() {
            Engine::Sqlite => &["DROP TABLE search_index"],
            Engine::Postgres => &["DROP FUNCTION stoa_search_pending"],
        };
        let common = ["DROP TABLE search_entries", "DROP TABLE search_pending",
            "DELETE FROM seaql_migrations WHERE version = 'm0006_search'"];
        for statement in common.iter().chain(own) {
            raw.execute_unprepared(statement).await.unwrap();
        }
        let (one, two) = (test.open_again().await, test.open_again().await);
        assert!(!page(&one, &ann, "old", &SearchFilter::default()).await.complete);
        let all = async |database: &Database| {
            let mut indexed = 0;
            loop {
                match database.index_pending(7).await.unwrap() {
                    0 => return indexed,
                    some => indexed += some,
                }
            }
        };
        let (first, second) = tokio::join!(all(&one), all(&two));
        assert_eq!(first + second, 120, "{first} and {second}");
        let whole = page(&two, &ann, "old", &SearchFilter::default()).await;
        assert!(whole.complete);
        assert_eq!(whole.items[0].message_id, None);
        let filter = SearchFilter { since: Some(later(59)), ..SearchFilter::default() };
        assert_eq!(page(&two, &ann, "old", &filter).await.items.len(), 3, "by the time of the message, not of the indexing");
    }

    async fn texts_of_any_size_and_script_are_taken(test: TestDatabase) {
        let database = &test.database;
        let (ann, _) = two_people(database).await;
        let id = conversation(database, &ann, "Any", 0).await;
        let long = (0..200_000).map(|number| format!("w{number:x}")).collect::<Vec<_>>().join(" ");
        ask(database, &ann, id, &format!("begin {long}"), 1).await;
        assert_eq!(search(database, &ann, "begin w3039 ").await.len(), 1);
        let han: String = (0x4E00..0x9FFF_u32).filter_map(char::from_u32).collect();
        ask(database, &ann, id, &han, 2).await;
        assert_eq!(search(database, &ann, "一丁丂").await.len(), 1);
        let strange = "𠀀𠀁 ﷺ 👩‍👩‍👧 ’‘ a\u{301}\u{327} \u{E000}x ｶﾞ १२ \u{2028} 'q' \"d\" \\ :* & | ! ( ) <-> *";
        ask(database, &ann, id, strange, 3).await;
        for word in ["𠀁", "á", "ガ", "१२", "\u{E000}x ", "'q' ", "\\ q :*"] {
            assert_eq!(search(database, &ann, word).await.len(), 1, "{word}");
        }
    }
}

/// A few words of two languages, put together by a seed.
struct Words(u64);

impl Words {
    const ALL: [&str; 14] = [
        "river",
        "Rivers",
        "stone",
        "STONE-age",
        "crème",
        "cafe",
        "plan b",
        "机器",
        "学习",
        "机器学习",
        "学",
        "ｗｉｄｅ",
        "3.14",
        "x",
    ];

    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn text(&mut self, words: u64) -> String {
        let mut text = String::new();
        for _ in 0..=self.next(words) {
            let word = Self::ALL[usize::try_from(self.next(14)).unwrap()];
            text += word;
            text += [" ", " ", ", ", "\n", ""][usize::try_from(self.next(5)).unwrap()];
        }
        text
    }

    fn query(&mut self) -> String {
        let text = self.text(3);
        match self.next(4) {
            0 => format!("\"{text}\""),
            1 => text.chars().take(4).collect(),
            _ => text,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_give_the_same_answers() {
    let both = [TestDatabase::open(Engine::Sqlite).await, TestDatabase::open(Engine::Postgres).await];
    let mut people = Vec::new();
    for test in &both {
        let (ann, _) = two_people(&test.database).await;
        let mut words = Words(42);
        for conversation_at in 0..12 {
            let at = conversation_at * 1_000_000_000;
            let id = conversation(&test.database, &ann, words.text(4).trim(), at).await;
            for message in 0..30 {
                // A question and its answer have one time, and which of two comes first is then left to chance: one has words.
                let (asked, answered) = match message % 2 {
                    0 => (words.text(12), "—".to_owned()),
                    _ => ("—".to_owned(), words.text(30)),
                };
                let turn = ask(&test.database, &ann, id, &asked, at + message * 7_000_000).await;
                answer(&test.database, &turn, &answered).await;
            }
        }
        people.push(ann);
    }
    let mut words = Words(7);
    let mut hits = 0;
    for _ in 0..300 {
        let text = words.query();
        let query = SearchQuery::parse(&text).unwrap();
        let mut answers = Vec::new();
        for (test, who) in both.iter().zip(&people) {
            let (mut after, mut found) = (None, Vec::new());
            loop {
                let page = test.database.search(who, &query, &SearchFilter::default(), after, 50).await.unwrap();
                found.extend(page.items.into_iter().map(|hit| (hit.conversation_title, hit.role, hit.at, hit.snippet)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            answers.push(found);
        }
        let [sqlite, postgres] = answers.try_into().unwrap();
        hits += sqlite.len();
        assert_eq!(sqlite, postgres, "{text:?}");
    }
    assert!(hits > 3_000, "{hits} hits are too few to say anything");
}

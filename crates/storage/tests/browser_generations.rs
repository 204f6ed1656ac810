//! Answers that a browser writes: what it uploads is kept, what it leaves behind is ended, and restarts do not end it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use stoa_model::completion::Parameters;
use stoa_model::conversation::{MessageStatus, Part};
use stoa_model::person::Role;
use stoa_model::provider::ProviderModel;
use stoa_model::{InstanceId, Principal, SessionId, Timestamp, Via};
use stoa_storage::{
    BROWSER_PATIENCE, BrowserStep, Chunk, Database, NewConversation, NewPersonalProvider, NewTurn, NewUser,
    PersonalProviderChange, StorageError, TurnIds, TurnLimits, TurnParent, on_both_engines,
};

const LIMITS: TurnLimits = TurnLimits { running_per_user: 9, history: 9, personal_providers: true };
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// What every instance is shown.
const LEASE: Duration = Duration::from_secs(15);

fn server() -> InstanceId {
    InstanceId::from_uuid(uuid::Uuid::from_u128(7))
}

async fn person(database: &Database) -> Principal {
    let new = NewUser {
        name: "ann".to_owned(),
        email: "ann@example.com".to_owned(),
        role: Role::Member,
        password_hash: "none".to_owned(),
    };
    let user = database.create_user(&Principal::System("test"), new, NOW).await.unwrap();
    Principal::User { id: user.id, role: Role::Member, epoch: 1, via: Via::Session(SessionId::generate(NOW)) }
}

/// A turn of a model of one's own.
async fn begin(database: &Database, who: &Principal, limits: TurnLimits) -> TurnIds {
    if database.personal_providers(who).await.unwrap().is_empty() {
        let new = NewPersonalProvider {
            name: "Mac".to_owned(),
            slug: "mac".to_owned(),
            base_url: "http://127.0.0.1:1".to_owned(),
            api_key: None,
        };
        let made = database.create_personal_provider(who, new, NOW).await.unwrap();
        let models = Some(vec![ProviderModel::named("m")]);
        let change = PersonalProviderChange { models, ..PersonalProviderChange::default() };
        database.change_personal_provider(who, made.id, change, NOW).await.unwrap();
    }
    let conversation = database.create_conversation(who, NewConversation::default(), NOW).await.unwrap().id;
    let turn = NewTurn::Message {
        conversation,
        parent: TurnParent::Leaf,
        parts: vec![Part::Text { text: "hi".to_owned() }],
        model: "~mac/m".to_owned(),
        parameters: Parameters::default(),
        assistant: None,
        title: "hi".to_owned(),
    };
    database.begin_turn(who, turn, server(), limits, NOW).await.unwrap()
}

async fn write(
    database: &Database,
    who: &Principal,
    turn: &TurnIds,
    seq: u64,
    at: Timestamp,
) -> Result<bool, StorageError> {
    let step = |_| {
        let chunk = Chunk { first_seq: seq, last_seq: seq, data: b"x".to_vec() };
        Ok(BrowserStep { chunk: Some(chunk), end: None })
    };
    database.append_by_browser(who, turn.generation, at, step).await.map(|append| append.running)
}

fn fold(_base: Vec<Part>, chunks: &[Chunk]) -> Vec<Part> {
    vec![Part::Text { text: "x".repeat(chunks.len()) }]
}

/// What the servers do about what has been silent.
async fn sweep(database: &Database, now: Timestamp) -> usize {
    let silent_since = now.minus(LEASE);
    let orphans = database.orphans(silent_since, 10).await.unwrap();
    for orphan in &orphans {
        assert!(database.interrupt_orphan(orphan.id, silent_since, now, fold).await.unwrap());
    }
    orphans.len()
}

on_both_engines! {
    async fn a_browser_that_falls_silent_is_interrupted_and_comes_too_late(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database).await;
        let turn = begin(database, &ann, LIMITS).await;
        assert!(turn.browser.is_some());
        let patience = BROWSER_PATIENCE + LEASE;
        let lived = NOW.plus(Duration::from_secs(50));
        assert!(write(database, &ann, &turn, 1, lived).await.unwrap());
        assert_eq!(sweep(database, lived.plus(patience)).await, 0, "it has been heard");
        assert_eq!(sweep(database, lived.plus(patience).plus(Duration::from_millis(1))).await, 1);
        let message = database.message(&ann, turn.reply).await.unwrap();
        assert_eq!((message.status, message.parts[0].text()), (MessageStatus::Interrupted, "x"));
        assert!(!write(database, &ann, &turn, 2, lived.plus(patience * 2)).await.unwrap());
        assert_eq!(database.message(&ann, turn.reply).await.unwrap().parts, message.parts);
    }

    async fn it_outlives_the_server(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database).await;
        let turn = begin(database, &ann, LIMITS).await;
        database.register_instance(server(), "1", NOW).await.unwrap();
        // The server was away for an hour; whoever starts in its place gives the browser time to speak.
        let later = NOW.plus(Duration::from_hours(1));
        database.sweep_other_servers().await.unwrap();
        database.revive_browsers(later).await.unwrap();
        assert_eq!(sweep(database, later).await, 0);
        assert!(write(database, &ann, &turn, 1, later).await.unwrap());
        assert!(!database.heartbeat(server(), later).await.unwrap(), "the other server is gone");
    }

    async fn what_a_server_writes_is_no_browsers_to_append_to(test: TestDatabase) {
        let database = &test.database;
        let ann = person(database).await;
        // Switched off, the model is unknown, and the server finds that out.
        let turn = begin(database, &ann, TurnLimits { personal_providers: false, ..LIMITS }).await;
        assert!(turn.browser.is_none());
        assert_eq!(turn.lease.owner, server());
        let refused = write(database, &ann, &turn, 1, NOW).await.unwrap_err();
        assert!(matches!(refused, StorageError::NotFound));
        let turn = begin(database, &ann, LIMITS).await;
        let nobody = Principal::AtTheMachine;
        assert!(matches!(write(database, &nobody, &turn, 1, NOW).await.unwrap_err(), StorageError::NotFound));
    }
}

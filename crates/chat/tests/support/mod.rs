//! An engine with a model that counts, for tests: every token tells its place, so that a lost or doubled one shows.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stoa_chat::{Engine, EngineOptions, EventStream, Parting, Revoked};
use stoa_dispatch::{Dispatch, NoLocalModels, UpstreamFactory};
use stoa_model::completion::{
    CompletionEvent, CompletionRequest, FinishReason, OpenFuture, Parameters, PartKind, Upstream, Usage,
};
use stoa_model::conversation::{Message, Part};
use stoa_model::person::Role;
use stoa_model::provider::{ProviderKind, ProviderModel};
use stoa_model::{Clock as _, ConversationId, MessageId, Principal, SessionId, SystemClock, Via};
use stoa_objects::Objects;
use stoa_storage::{Database, NewConversation, NewProvider, NewTurn, NewUser, StoredProvider, TurnIds, TurnParent};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Calls that were given up before their end.
pub(crate) static CANCELLED: AtomicUsize = AtomicUsize::new(0);

/// Says `0 1 2 …`. The model's name says how: `count-TOKENS-MILLIS`.
pub(crate) struct Counter;

impl Upstream for Counter {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static> {
        let mut numbers = request.model.split('-').skip(1).map(|number| number.parse::<u64>().unwrap());
        let (tokens, millis) = (numbers.next().unwrap(), numbers.next().unwrap());
        Box::pin(async move {
            let stream = async_stream::stream! {
                let unfinished = Unfinished;
                yield Ok(CompletionEvent::Delta { part: PartKind::Reasoning, text: "hm".to_owned() });
                for i in 0..tokens {
                    if millis > 0 {
                        tokio::time::sleep(Duration::from_millis(millis)).await;
                    }
                    yield Ok(CompletionEvent::Delta { part: PartKind::Text, text: format!("{i} ") });
                }
                std::mem::forget(unfinished);
                let usage = Usage { prompt_tokens: 1, completion_tokens: tokens, ..Usage::default() };
                yield Ok(CompletionEvent::Usage(usage));
                yield Ok(CompletionEvent::Finish(FinishReason::Stop));
            };
            Ok(Box::pin(stream) as _)
        })
    }
}

struct Unfinished;

impl Drop for Unfinished {
    fn drop(&mut self) {
        CANCELLED.fetch_add(1, Ordering::SeqCst);
    }
}

struct Factory;

impl UpstreamFactory for Factory {
    fn upstream(&self, _provider: &StoredProvider) -> Arc<dyn Upstream> {
        Arc::new(Counter)
    }
}

/// `0 1 2 … tokens-1`, as the counter says it.
pub(crate) fn counted(tokens: u64) -> String {
    (0..tokens).flat_map(|i| [i.to_string(), " ".to_owned()]).collect()
}

/// One server process, without the process.
pub(crate) struct Replica {
    pub(crate) engine: Engine,
    pub(crate) database: Database,
    pub(crate) tracker: TaskTracker,
    pub(crate) helpers: CancellationToken,
    _files: tempfile::TempDir,
}

pub(crate) async fn replica(database: &Database) -> Replica {
    let tracker = TaskTracker::new();
    let helpers = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    let dispatch = Dispatch::start(
        database.clone(),
        Box::new(Factory),
        Arc::new(NoLocalModels),
        clock.clone(),
        &tracker,
        helpers.clone(),
    )
    .await
    .unwrap();
    let options = EngineOptions { titles: false, ..EngineOptions::default() };
    let files = tempfile::tempdir().unwrap();
    let objects = Objects::on_disk(files.path()).unwrap();
    let engine = Engine::start(database.clone(), dispatch, objects, clock, tracker.clone(), options).await.unwrap();
    Replica { engine, database: database.clone(), tracker, helpers, _files: files }
}

/// A provider with the counting models, and two people.
pub(crate) async fn furnish(database: &Database) -> (Principal, Principal) {
    let now = SystemClock.now();
    let system = Principal::System("test");
    let new = NewProvider {
        name: "Mock".to_owned(),
        slug: "mock".to_owned(),
        kind: ProviderKind::Openai,
        base_url: "http://mock.invalid/v1".to_owned(),
        api_key: None,
        enabled: true,
    };
    let provider = database.create_provider(&system, new, now).await.unwrap();
    let models = ["count-10-0", "count-100-5", "count-400-5", "count-3-0", "count-20000-0", "count-4000-5"]
        .map(ProviderModel::named);
    database.put_provider_models(&system, provider.id, models.to_vec(), now).await.unwrap();
    let mut people = Vec::new();
    for name in ["ann", "ben"] {
        let new = NewUser {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            role: Role::Member,
            password_hash: "none".to_owned(),
        };
        let user = database.create_user(&system, new, now).await.unwrap();
        let via = Via::Session(SessionId::generate(now));
        people.push(Principal::User { id: user.id, role: Role::Member, epoch: 1, via });
    }
    let ben = people.pop().unwrap();
    (people.pop().unwrap(), ben)
}

impl Replica {
    pub(crate) async fn conversation(&self, who: &Principal) -> ConversationId {
        self.database.create_conversation(who, NewConversation::default(), SystemClock.now()).await.unwrap().id
    }

    pub(crate) async fn say(&self, who: &Principal, conversation: ConversationId, model: &str) -> TurnIds {
        let turn = NewTurn::Message {
            conversation,
            parent: TurnParent::Leaf,
            parts: vec![Part::Text { text: "count".to_owned() }],
            model: format!("mock/{model}"),
            parameters: Parameters::default(),
            assistant: None,
            title: "count".to_owned(),
        };
        self.engine.begin(who, turn).await.unwrap().turn
    }

    /// Waits until the message is no longer being written.
    pub(crate) async fn settled(&self, who: &Principal, id: MessageId) -> Message {
        for _ in 0..2_000 {
            let message = self.database.message(who, id).await.unwrap();
            if message.status != stoa_model::conversation::MessageStatus::Running {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the answer never ended");
    }
}

/// For streams that nobody takes away.
pub(crate) fn never() -> Revoked {
    Box::pin(std::future::pending::<Parting>())
}

/// What a browser makes of a stream: the text, and the events' names.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) seq: u64,
    pub(crate) names: Vec<String>,
    pub(crate) data: Vec<String>,
    /// Where the text and the reasoning ended after each sequence number seen.
    marks: Vec<(u64, usize, usize)>,
}

impl Page {
    /// Reads until `enough`, or the stream's end.
    pub(crate) async fn read(&mut self, stream: &mut EventStream, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let next = tokio::time::timeout(Duration::from_secs(30), stream.next()).await.expect("events come");
            let Some(bytes) = next else { return };
            for event in std::str::from_utf8(&bytes).unwrap().split("\n\n").filter(|event| !event.is_empty()) {
                self.apply(event);
            }
        }
    }

    fn apply(&mut self, event: &str) {
        let field =
            |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
        let Some(name) = field("event:") else { return };
        let data = field("data:").unwrap();
        let json: serde_json::Value = serde_json::from_str(&data).unwrap();
        let seq = json["seq"].as_u64();
        match name.as_str() {
            "delta" => {
                let first = json["first"].as_u64().or(seq).unwrap();
                assert_eq!(first, self.seq + 1, "a delta is lost, doubled or out of order: {event}");
                self.seq = seq.unwrap();
                match json["part"].as_str().unwrap() {
                    "reasoning" => self.reasoning.push_str(json["text"].as_str().unwrap()),
                    _ => self.text.push_str(json["text"].as_str().unwrap()),
                }
                self.marks.push((self.seq, self.text.len(), self.reasoning.len()));
            }
            "rewind" => {
                self.seq = seq.unwrap();
                self.marks.retain(|mark| mark.0 <= self.seq);
                let (_, text, reasoning) = self.marks.last().copied().unwrap_or_default();
                self.text.truncate(text);
                self.reasoning.truncate(reasoning);
            }
            "snapshot" => {
                self.seq = seq.unwrap();
                self.text.clear();
                self.reasoning.clear();
                for part in json["parts"].as_array().unwrap() {
                    let text = part["text"].as_str().unwrap();
                    if part["type"] == "text" { self.text.push_str(text) } else { self.reasoning.push_str(text) }
                }
            }
            _ => {}
        }
        self.names.push(name);
        self.data.push(data);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|seen| seen == name)
    }
}

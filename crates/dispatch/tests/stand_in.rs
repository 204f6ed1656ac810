//! Another model answers when the one that was asked cannot, and every attempt is in the ledger.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use stoa_dispatch::{Call, Dispatch, NoLocalModels, Receipt, UpstreamFactory};
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, CompletionRequest, CompletionStream, FinishReason, LocalOptions,
    OpenFuture, Parameters, PartKind, PromptMessage, PromptRole, TimedStep, Timers, Upstream, Usage,
};
use stoa_model::person::Role;
use stoa_model::provider::{Ability, Prices, ProviderKind, ProviderModel};
use stoa_model::think::Think;
use stoa_model::{Clock, Image, Principal, SessionId, SystemClock, Timestamp, UserId, Via};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Database, Engine, NewProvider, StoredProvider};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Does what the model's name says.
struct Actor;

fn says(text: &str) -> CompletionEvent {
    CompletionEvent::Delta { part: PartKind::Text, text: text.to_owned() }
}

fn counted() -> CompletionEvent {
    CompletionEvent::Usage(Usage { prompt_tokens: 1_000, completion_tokens: 10, ..Usage::default() })
}

impl Upstream for Actor {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static> {
        let finish = || Ok(CompletionEvent::Finish(FinishReason::Stop));
        let (says, counted) = (|text| Ok(says(text)), || Ok(counted()));
        let events = match request.model.as_str() {
            "spare" if request.form.think.is_some() => vec![says("spare thinks"), finish()],
            "fine" | "spare" => vec![says(&request.model), counted(), finish()],
            "silent" => vec![counted(), finish()],
            "drops" => vec![counted(), Err(CompletionError::CutOff)],
            "breaks" => vec![says("half"), Err(CompletionError::CutOff)],
            "gone" => return failed(CompletionError::Unreachable { detail: "refused".to_owned() }),
            "slow" => {
                let after = Duration::from_secs(1);
                return failed(CompletionError::TimedOut { step: TimedStep::FirstToken, after });
            }
            "busy" => {
                return failed(CompletionError::Refused { status: 429, detail: String::new(), retry_after: None });
            }
            _ => return failed(CompletionError::Refused { status: 400, detail: "bad".to_owned(), retry_after: None }),
        };
        Box::pin(async move { Ok(Box::pin(stream::iter(events)) as CompletionStream) })
    }
}

fn failed(error: CompletionError) -> OpenFuture<'static> {
    Box::pin(async move { Err(error) })
}

struct Factory;

impl UpstreamFactory for Factory {
    fn upstream(&self, _provider: &StoredProvider) -> Arc<dyn Upstream> {
        Arc::new(Actor)
    }
}

struct TestClock(AtomicI64);

impl TestClock {
    fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Stage {
    clock: Arc<TestClock>,
    dispatch: Dispatch,
    database: Database,
    _test: TestDatabase,
}

const PRICES: Prices = Prices { input: 1_000_000, cached_input: None, output: 2_000_000 };

impl Stage {
    /// Every model of the first provider has `stand_in` behind it.
    async fn with(stand_in: &str) -> Self {
        let test = TestDatabase::open(Engine::Sqlite).await;
        let (database, now) = (test.database.clone(), SystemClock.now());
        let system = Principal::System("test");
        for (slug, names) in [
            ("one", &["fine", "silent", "drops", "breaks", "gone", "slow", "busy", "bad"][..]),
            ("two", &["spare", "gone", "bad"]),
        ] {
            let new = NewProvider {
                name: slug.to_owned(),
                slug: slug.to_owned(),
                kind: ProviderKind::Openai,
                base_url: "http://mock.invalid/v1".to_owned(),
                api_key: None,
                enabled: true,
            };
            let provider = database.create_provider(&system, new, now).await.unwrap();
            let model = |name: &&str| ProviderModel {
                prices: Some(PRICES),
                stand_in: Some(stand_in.to_owned()),
                ..ProviderModel::named(*name)
            };
            database.put_provider_models(&system, provider.id, names.iter().map(model).collect(), now).await.unwrap();
        }
        let (clock, tracker) = (Arc::new(TestClock(AtomicI64::new(now.as_millis()))), TaskTracker::new());
        let shared: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let dispatch = Dispatch::start(
            database.clone(),
            Box::new(Factory),
            Arc::new(NoLocalModels),
            shared,
            &tracker,
            CancellationToken::new(),
        )
        .await
        .unwrap();
        Self { clock, dispatch, database, _test: test }
    }

    async fn ask(&self, model: &str) -> Heard {
        self.ask_with(model, Vec::new(), None).await
    }

    /// What the stand-in is known to be able to.
    async fn teach(&self, abilities: &[Ability]) {
        let system = Principal::System("test");
        let provider = self.database.providers(&system).await.unwrap().pop().unwrap();
        let taught = |model| ProviderModel { abilities: abilities.to_vec(), ..model };
        let models = provider.models.into_iter().map(taught).collect();
        self.database.put_provider_models(&system, provider.id, models, SystemClock.now()).await.unwrap();
        self.dispatch.reload().await.unwrap();
    }

    async fn ask_with(&self, model: &str, messages: Vec<PromptMessage>, think: Option<Think>) -> Heard {
        let receipt = self.dispatch.receipt();
        let call = Call {
            model: model.to_owned(),
            messages,
            parameters: Parameters::default(),
            stop: Vec::new(),
            seed: None,
            form: AnswerForm { think, ..AnswerForm::default() },
            timers: Timers::default(),
            local: LocalOptions::default(),
            generation: None,
            receipt: Some(receipt.clone()),
        };
        let (mut text, mut cost, mut stand_in) = (String::new(), None, None);
        let outcome = match self.dispatch.call(&somebody(), call).await {
            Ok(answering) => {
                stand_in = answering.stand_in;
                let mut events = answering.events;
                let mut outcome = Ok(());
                while let Some(event) = events.next().await {
                    match event {
                        Ok(CompletionEvent::Delta { text: more, .. }) => text.push_str(&more),
                        Ok(CompletionEvent::Usage(usage)) => cost = usage.cost,
                        Ok(_) => {}
                        Err(error) => outcome = Err(error.code()),
                    }
                }
                outcome
            }
            Err(error) => Err(error.code()),
        };
        Heard { text, stand_in, outcome, cost, attempts: attempts(&receipt) }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Heard {
    text: String,
    stand_in: Option<String>,
    outcome: Result<(), &'static str>,
    cost: Option<u64>,
    attempts: Vec<(String, String)>,
}

/// Model and outcome of each row of the ledger.
fn attempts(receipt: &Receipt) -> Vec<(String, String)> {
    receipt.take().into_iter().map(|row| (row.model, row.outcome)).collect()
}

fn somebody() -> Principal {
    let now = SystemClock.now();
    Principal::User {
        id: UserId::generate(now),
        role: Role::Owner,
        epoch: 1,
        via: Via::Session(SessionId::generate(now)),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(model, outcome)| ((*model).to_owned(), (*outcome).to_owned())).collect()
}

#[tokio::test]
async fn another_model_answers_while_nothing_was_said() {
    let stage = Stage::with("two/spare").await;
    let cases =
        [("one/busy", "provider_refused"), ("one/drops", "provider_cut_off"), ("one/gone", "provider_unreachable")];
    for (model, fault) in cases {
        let heard = Heard {
            text: "spare".to_owned(),
            stand_in: Some("two/spare".to_owned()),
            outcome: Ok(()),
            cost: Some(1_020_000),
            attempts: pairs(&[(model, fault), ("two/spare", "stop")]),
        };
        assert_eq!(stage.ask(model).await, heard);
    }
}

#[tokio::test]
async fn nobody_waits_again_for_who_is_away_until_it_has_rested() {
    let stage = Stage::with("two/spare").await;
    for away in ["one/gone", "one/slow"] {
        assert_eq!(stage.ask(away).await.attempts.len(), 2, "{away} is tried");
        let heard = stage.ask("one/fine").await;
        assert_eq!(heard.attempts, pairs(&[("two/spare", "stop")]), "its provider rests after {away}");
        assert_eq!(heard.stand_in.as_deref(), Some("two/spare"));
        stage.clock.forward(Duration::from_secs(31));
        let heard = stage.ask("one/fine").await;
        assert_eq!((heard.stand_in, heard.attempts), (None, pairs(&[("one/fine", "stop")])));
    }
    // What answers is there, whatever it answers.
    assert_eq!(stage.ask("one/busy").await.attempts.len(), 2);
    assert_eq!(stage.ask("one/fine").await.stand_in, None);
    // A change of settings may have helped.
    stage.ask("one/gone").await;
    stage.dispatch.reload().await.unwrap();
    assert_eq!(stage.ask("one/fine").await.stand_in, None);
}

#[tokio::test]
async fn who_rests_is_asked_all_the_same_when_nobody_else_can_answer() {
    let stage = Stage::with("two/bad").await;
    assert_eq!(stage.ask("one/gone").await.outcome, Err("provider_unreachable"));
    // The stand-in is asked first, and fails by a fault of its own; the model that was meant answers.
    let heard = stage.ask("one/fine").await;
    assert_eq!((heard.text.as_str(), heard.stand_in), ("fine", None));
    assert_eq!(heard.attempts, pairs(&[("two/bad", "provider_refused"), ("one/fine", "stop")]));
    // Where both fail, the fault of the model that was asked is told.
    stage.ask("one/gone").await;
    let heard = stage.ask("one/gone").await;
    assert_eq!((heard.outcome, heard.attempts.len()), (Err("provider_unreachable"), 2));
    assert_eq!(heard.attempts[0].0, "two/bad");
}

#[tokio::test]
async fn who_can_answer_is_not_replaced() {
    let stage = Stage::with("two/spare").await;
    for model in ["fine", "silent"] {
        let heard = stage.ask(&format!("one/{model}")).await;
        assert_eq!((heard.stand_in, heard.outcome, heard.cost), (None, Ok(()), Some(1_020_000)));
        assert_eq!(heard.text, if model == "fine" { "fine" } else { "" });
    }
}

#[tokio::test]
async fn what_was_said_is_never_said_again() {
    let heard = Stage::with("two/spare").await.ask("one/breaks").await;
    assert_eq!((heard.text.as_str(), heard.outcome), ("half", Err("provider_cut_off")));
    assert_eq!(heard.attempts, pairs(&[("one/breaks", "provider_cut_off")]));
}

#[tokio::test]
async fn a_fault_of_the_request_is_told_and_tried_nowhere_else() {
    let heard = Stage::with("two/spare").await.ask("one/bad").await;
    assert_eq!((heard.outcome, heard.attempts.len()), (Err("provider_refused"), 1));
}

#[tokio::test]
async fn the_first_fault_is_told_and_nobody_stands_in_twice() {
    // Both of them are gone; the second one's own stand-in is itself.
    let heard = Stage::with("two/gone").await.ask("one/busy").await;
    assert_eq!((heard.outcome, heard.stand_in), (Err("provider_refused"), None));
    assert_eq!(heard.attempts, pairs(&[("one/busy", "provider_refused"), ("two/gone", "provider_unreachable")]));
    // A model that stands in for itself, or is not there, is none.
    for nobody in ["one/busy", "two/nobody", "nowhere/at-all"] {
        let heard = Stage::with(nobody).await.ask("one/busy").await;
        assert_eq!((heard.outcome, heard.attempts.len()), (Err("provider_refused"), 1), "{nobody}");
    }
}

#[tokio::test]
async fn a_change_of_the_stand_in_is_in_force_at_once() {
    let stage = Stage::with("two/spare").await;
    let system = Principal::System("test");
    for provider in stage.database.providers(&system).await.unwrap() {
        let models = provider.models.into_iter().map(|model| ProviderModel { stand_in: None, ..model }).collect();
        stage.database.put_provider_models(&system, provider.id, models, SystemClock.now()).await.unwrap();
    }
    stage.dispatch.reload().await.unwrap();
    assert_eq!(stage.ask("one/gone").await.outcome, Err("provider_unreachable"));
}

#[tokio::test]
async fn a_stand_in_is_asked_for_what_it_can_do() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    let stage = Stage::with("two/spare").await;
    let seen = || {
        let image = Image::new(PNG, 0).unwrap();
        vec![PromptMessage { images: vec![image], ..PromptMessage::new(PromptRole::User, "look") }]
    };
    let text = async |messages, think| stage.ask_with("one/busy", messages, think).await.text;
    assert_eq!(text(seen(), None).await, "spare", "of one that nothing is known of all may be asked");
    assert_eq!(text(Vec::new(), Some(Think::High)).await, "spare", "but not to think");
    stage.teach(&[Ability::Reasoning]).await;
    assert_eq!(text(Vec::new(), Some(Think::High)).await, "spare thinks");
    let heard = stage.ask_with("one/busy", seen(), None).await;
    assert_eq!((heard.outcome, heard.attempts.len()), (Err("provider_refused"), 1), "it takes no pictures");
    stage.teach(&[Ability::Vision]).await;
    assert_eq!(text(seen(), None).await, "spare");
}

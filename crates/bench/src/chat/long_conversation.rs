//! A conversation of 10,000 messages: its first page, and what one more turn costs beside one in a conversation of ten.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use stoa_model::completion::Parameters;
use stoa_model::conversation::{MessageStatus, Part, Timings};
use stoa_model::{Clock as _, ConversationId, InstanceId, Principal, SessionId, SystemClock, Via};
use stoa_storage::{Append, Database, MasterKey, NewTurn, Outcome, TurnLimits, TurnParent};
use tokio_util::task::TaskTracker;

use crate::api::{Api, count};
use crate::processes::{EMAIL, Stoa, Upstream};
use crate::report::{Better, Line, Report, median};

/// Turns of two messages.
const LONG_TURNS: usize = 5_000;
const SHORT_TURNS: usize = 5;
const PAGES: usize = 200;
const APPENDS: usize = 60;
/// The target: milliseconds of the first page.
const PAGE_MS: f64 = 20.0;
const QUESTION: &str = "What else is there to know about the sea, and who has written about it before?";
const ANSWER: &str = "There is much to know: how deep it is, what lives in it, how it was crossed, and what it takes. \
    Sailors, poets and scientists have each written about it in their own way, and none of them came to an end.";

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    let directory = tempfile::tempdir()?;
    let (allow, key) = (mock.address.to_string(), MasterKey::generate());
    let key_text = key.to_hex();
    let variables = [("STOA_EGRESS_ALLOW", allow.as_str()), ("STOA_MASTER_KEY", key_text.as_str())];
    Stoa::start(directory.path(), &variables).await?.stop().await?;
    let begun = Instant::now();
    let seeded = Box::pin(seed(directory.path(), key)).await?;
    Report::say(&format!("long conversation: seeded in {:.1} s", begun.elapsed().as_secs_f64()));

    let server = Stoa::start(directory.path(), &variables).await?;
    let api = Api::sign_in(server.address).await?;
    api.add_mock(mock.address, "tokens=3").await?;
    let path = format!("/api/v1/conversations/{}/messages", seeded.long);
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        api.get(&path).await?;
        pages.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for conversation in &seeded.short {
        long.push(append(&api, &seeded.long).await?);
        short.push(append(&api, conversation).await?);
    }
    let page = median(&pages);
    report.add(&Line::new("10000-messages-page", (page, "ms"), ("target", PAGE_MS), Better::Lower, PAGES))?;
    let (long, short) = (median(&long), median(&short));
    report.add(&Line::new("10000-messages-append", (long, "ms"), ("10 messages", short), Better::Lower, APPENDS))?;
    Ok(())
}

/// Milliseconds until a message is taken. Its answer is awaited, so that no append meets another.
async fn append(api: &Api, conversation: &str) -> anyhow::Result<f64> {
    let message = count();
    let begun = Instant::now();
    let turn = api.say(conversation, &message).await?;
    let taken = begun.elapsed();
    api.finished(&turn).await?;
    Ok(taken.as_secs_f64() * 1_000.0)
}

struct Seeded {
    long: String,
    short: Vec<String>,
}

/// Writes the conversations as the engine would, without waiting for a model.
async fn seed(directory: &Path, key: MasterKey) -> anyhow::Result<Seeded> {
    let tracker = TaskTracker::new();
    let url = format!("sqlite://{}", directory.join("stoa.db").display());
    let database = Database::open(&url, key, &tracker).await?;
    let owner = database.credentials_by_email(EMAIL).await?.context("the owner was not made")?.user;
    let via = Via::Session(SessionId::generate(SystemClock.now()));
    let owner = Principal::User { id: owner.id, role: owner.role, epoch: owner.epoch, via };
    let mut seed = Seed { instance: InstanceId::generate(SystemClock.now()), database, owner, ended: Vec::new() };
    let long = seed.conversation(LONG_TURNS).await?;
    let mut short = Vec::new();
    for _ in 0..APPENDS {
        short.push(seed.conversation(SHORT_TURNS).await?.to_string());
    }
    seed.write_ends().await?;
    seed.database.close().await;
    Ok(Seeded { long: long.to_string(), short })
}

struct Seed {
    database: Database,
    owner: Principal,
    instance: InstanceId,
    ended: Vec<Append>,
}

impl Seed {
    async fn conversation(&mut self, turns: usize) -> anyhow::Result<ConversationId> {
        let title = Some("The sea".to_owned());
        let conversation = self.database.create_conversation(&self.owner, title, SystemClock.now()).await?.id;
        for _ in 0..turns {
            self.turn(conversation).await?;
        }
        Ok(conversation)
    }

    async fn turn(&mut self, conversation: ConversationId) -> anyhow::Result<()> {
        let turn = NewTurn::Message {
            conversation,
            parent: TurnParent::Leaf,
            parts: text(QUESTION),
            model: "mock/counter".to_owned(),
            parameters: Parameters::default(),
            title: "The sea".to_owned(),
        };
        let limits = TurnLimits { running_per_user: u64::MAX, history: 1 };
        let turn = self.database.begin_turn(&self.owner, turn, self.instance, limits, SystemClock.now()).await?;
        self.ended.push(Append {
            generation: turn.generation,
            lease: turn.lease,
            chunk: None,
            outcome: Some(Outcome {
                status: MessageStatus::Complete,
                parts: text(ANSWER),
                usage: None,
                timings: Timings { first_token_ms: 5, total_ms: 9 },
                error: None,
                last_seq: 1,
            }),
        });
        // A few hundred at a time: `begin_turn` counts what still runs.
        if self.ended.len() >= 250 { self.write_ends().await } else { Ok(()) }
    }

    async fn write_ends(&mut self) -> anyhow::Result<()> {
        self.database.append_generations(&self.ended, SystemClock.now()).await?;
        self.ended.clear();
        Ok(())
    }
}

fn text(text: &str) -> Vec<Part> {
    vec![Part::Text { text: text.to_owned() }]
}

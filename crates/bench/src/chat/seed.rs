//! A server's data written before it starts: what would take too long to come about through the API.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use stoa_model::completion::Parameters;
use stoa_model::conversation::{MessageStatus, Part, Timings};
use stoa_model::person::Role;
use stoa_model::{Clock as _, ConversationId, InstanceId, Principal, SessionId, SystemClock, Via};
use stoa_storage::{
    Append, Database, MasterKey, NewConversation, NewSession, NewTurn, NewUser, Outcome, TurnLimits, TurnParent,
};
use tokio_util::task::TaskTracker;

use crate::processes::{EMAIL, Stoa};

const QUESTION: &str = "What else is there to know about the sea, and who has written about it before?";
const ANSWER: &str = "There is much to know: how deep it is, what lives in it, how it was crossed, and what it takes. \
    Sailors, poets and scientists have each written about it in their own way, and none of them came to an end.";

/// The database of a server that has been started once and is stopped now.
pub(crate) struct Seed {
    database: Database,
    owner: Principal,
    instance: InstanceId,
    ended: Vec<Append>,
}

impl Seed {
    /// Starts a server to make the owner, stops it, and opens its data. The key is for `STOA_MASTER_KEY`.
    pub(crate) async fn begin(directory: &Path, key: &MasterKey) -> anyhow::Result<Self> {
        Stoa::start(directory, &[("STOA_MASTER_KEY", &key.to_hex())]).await?.stop().await?;
        let url = format!("sqlite://{}", directory.join("stoa.db").display());
        let database = Database::open(&url, key.clone(), &TaskTracker::new()).await?;
        let owner = database.credentials_by_email(EMAIL).await?.context("the owner was not made")?.user;
        let via = Via::Session(SessionId::generate(SystemClock.now()));
        let owner = Principal::User { id: owner.id, role: owner.role, epoch: owner.epoch, via };
        Ok(Self { database, owner, instance: InstanceId::generate(SystemClock.now()), ended: Vec::new() })
    }

    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.write_ends().await?;
        self.database.close().await;
        Ok(())
    }

    /// Makes people who are signed in; their cookies.
    pub(crate) async fn people(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let mut cookies = Vec::with_capacity(count);
        for number in 0..count {
            let new = NewUser {
                name: format!("Person {number}"),
                email: format!("person-{number}@example.com"),
                role: Role::Member,
                // Nobody signs in with a password here: the session is there already.
                password_hash: "$argon2id$no-password".to_owned(),
            };
            let user = self.database.create_user(&self.owner, new, SystemClock.now()).await?;
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            let session = NewSession {
                user: user.id,
                token_hash: Sha256::digest(token).to_vec(),
                user_agent: "stoa-bench".to_owned(),
                address: "127.0.0.1".to_owned(),
                lasts: Duration::from_hours(1),
            };
            self.database.create_session(session, SystemClock.now()).await?;
            cookies.push(format!("stoa_session={}", URL_SAFE_NO_PAD.encode(token)));
        }
        Ok(cookies)
    }

    /// A conversation of the owner with this many turns, each of two messages, as the engine would have written it.
    pub(crate) async fn conversation(&mut self, turns: usize) -> anyhow::Result<String> {
        let title = Some("The sea".to_owned());
        let conversation = self
            .database
            .create_conversation(
                &self.owner,
                NewConversation { title, ..NewConversation::default() },
                SystemClock.now(),
            )
            .await?
            .id;
        for _ in 0..turns {
            self.turn(conversation).await?;
        }
        Ok(conversation.to_string())
    }

    async fn turn(&mut self, conversation: ConversationId) -> anyhow::Result<()> {
        let turn = NewTurn::Message {
            conversation,
            parent: TurnParent::Leaf,
            parts: text(QUESTION),
            model: "mock/counter".to_owned(),
            parameters: Parameters::default(),
            assistant: None,
            title: "The sea".to_owned(),
        };
        let limits = TurnLimits { running_per_user: u64::MAX, history: 1, personal_providers: false };
        let turn = self.database.begin_turn(&self.owner, turn, self.instance, limits, SystemClock.now()).await?;
        self.ended.push(Append {
            generation: turn.generation,
            lease: turn.lease,
            chunk: None,
            outcome: Some(Outcome {
                status: MessageStatus::Complete,
                parts: text(ANSWER),
                usage: None,
                timings: Some(Timings { first_token_ms: 5, total_ms: 9 }),
                error: None,
                finish_reason: None,
                stand_in: None,
                last_seq: 1,
                calls: Vec::new(),
            }),
        });
        // A few hundred at a time: `begin_turn` counts what still runs.
        if self.ended.len() >= 250 { self.write_ends().await } else { Ok(()) }
    }

    async fn write_ends(&mut self) -> anyhow::Result<()> {
        if !self.ended.is_empty() {
            self.database.append_generations(&self.ended, SystemClock.now()).await?;
            self.ended.clear();
        }
        Ok(())
    }
}

fn text(text: &str) -> Vec<Part> {
    vec![Part::Text { text: text.to_owned() }]
}

//! Changes that other parts of the server must hear of: in the process on SQLite, by `LISTEN`/`NOTIFY` between replicas
//! on PostgreSQL. Never sent per token; a `NOTIFY` takes a lock at commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::sqlx::{self, PgPool};
use serde::{Deserialize, Serialize};
use stoa_model::{ConversationId, FunctionId, GenerationId, InstanceId, StreamId, UserId};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

const CHANNEL: &str = "stoa";
const KEPT: usize = 4_096;
const RETRY: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// What this user may do, or one of their sessions or keys, has changed.
    Identity { user: UserId },
    /// Providers, their models, or allowances have changed.
    Settings,
    /// A function was made, changed or deleted.
    Function { function: FunctionId },
    /// A conversation of this user was made, changed or deleted.
    Conversation { user: UserId, conversation: ConversationId },
    /// Many conversations of this user have changed at once.
    Conversations { user: UserId },
    /// Somebody pressed stop.
    Stop { generation: GenerationId },
    /// A generation has ended; those who follow it from another replica look now.
    Finished { generation: GenerationId },
    /// A change of subscriptions for a stream that another replica holds.
    Subscribe { stream: StreamId, user: UserId, instance: Option<InstanceId>, body: String },
    /// Notices may have been missed: whatever was cached must be read again.
    Resync,
}

#[derive(Clone, Debug)]
pub struct Notices {
    sender: broadcast::Sender<Notice>,
    /// On PostgreSQL, the pool that sends and whether the listening connection stands.
    remote: Option<Remote>,
}

#[derive(Clone, Debug)]
struct Remote {
    pool: PgPool,
    fresh: Arc<AtomicBool>,
    /// Marks what this process sent, so that it does not hear itself.
    own: u64,
}

impl Notices {
    pub(crate) fn in_process() -> Self {
        Self { sender: broadcast::Sender::new(KEPT), remote: None }
    }

    pub(crate) fn listen(pool: PgPool, tracker: &TaskTracker) -> Self {
        let sender = broadcast::Sender::new(KEPT);
        let fresh = Arc::new(AtomicBool::new(false));
        let own = rand::random();
        tracker.spawn(follow(pool.clone(), sender.clone(), Arc::clone(&fresh), own));
        Self { sender, remote: Some(Remote { pool, fresh, own }) }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.sender.subscribe()
    }

    /// Whether no notice can have been missed. While this is false, cached rights are no good: read them.
    pub fn fresh(&self) -> bool {
        self.remote.as_ref().is_none_or(|remote| remote.fresh.load(Ordering::Acquire))
    }

    /// Tells everybody, this process at once and the other replicas through the database.
    pub async fn publish(&self, notice: Notice) {
        // Nobody listening yet is no fault.
        let _ = self.sender.send(notice.clone());
        let Some(remote) = &self.remote else { return };
        let payload = match serde_json::to_string(&Addressed { from: remote.own, notice: &notice }) {
            Ok(payload) => payload,
            Err(error) => return tracing::error!(%error, "a notice cannot be written as JSON"),
        };
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&payload).execute(&remote.pool).await;
        if let Err(error) = sent {
            tracing::warn!(%error, ?notice, "other replicas could not be told; they find out by polling");
        }
    }
}

#[derive(Serialize)]
struct Addressed<'a> {
    from: u64,
    notice: &'a Notice,
}

#[derive(Deserialize)]
struct Received {
    from: u64,
    notice: Notice,
}

/// Keeps one listening connection; after every (re)connection everything cached is stale.
async fn follow(pool: PgPool, sender: broadcast::Sender<Notice>, fresh: Arc<AtomicBool>, own: u64) {
    while !pool.is_closed() {
        match PgListener::connect_with(&pool).await {
            Ok(mut listener) => {
                if let Err(error) = listener.listen(CHANNEL).await {
                    tracing::warn!(%error, "listening to other replicas failed");
                } else {
                    let _ = sender.send(Notice::Resync);
                    fresh.store(true, Ordering::Release);
                    hear(&mut listener, &sender, own).await;
                    fresh.store(false, Ordering::Release);
                    let _ = sender.send(Notice::Resync);
                }
            }
            Err(error) if pool.is_closed() => tracing::debug!(%error, "the database is closing"),
            Err(error) => tracing::warn!(%error, "no connection to listen to other replicas"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = pool.close_event() => {}
        }
    }
}

/// Passes notices on until the connection is lost.
async fn hear(listener: &mut PgListener, sender: &broadcast::Sender<Notice>, own: u64) {
    loop {
        match listener.try_recv().await {
            Ok(Some(heard)) => match serde_json::from_str::<Received>(heard.payload()) {
                Ok(received) if received.from == own => {}
                Ok(received) => {
                    let _ = sender.send(received.notice);
                }
                // Another version of Stoa may say things this one does not know.
                Err(error) => tracing::debug!(%error, "a notice was not understood"),
            },
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the connection that listens to other replicas was lost");
                return;
            }
        }
    }
}

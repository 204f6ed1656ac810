//! Follows the feed of changes and brings word to whoever has something open.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use stoa_model::function::ModelAccess;
use stoa_model::{Principal, Via};
use stoa_storage::{Notice, StorageError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::door::Inner;
use crate::watch::{By, Ended, Standing, Target};

/// How often those who have run out are looked for.
const TICK: Duration = Duration::from_secs(1);
/// Everybody is looked at again this often, should word ever be lost.
const AGAIN: Duration = Duration::from_mins(1);
/// How often ended sessions are removed.
const SWEEP_SESSIONS: Duration = Duration::from_hours(1);
/// Reads of the database at once.
const READS: usize = 16;

pub(crate) async fn follow(inner: Arc<Inner>, mut heard: broadcast::Receiver<Notice>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sweep = tokio::time::interval(SWEEP_SESSIONS);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reads = FuturesUnordered::new();
    loop {
        while reads.len() < READS {
            let Some(target) = inner.watched.next() else { break };
            reads.push(read(&inner, target));
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            notice = heard.recv() => match notice {
                Ok(Notice::Identity { user }) => {
                    inner.cache.catch_up();
                    inner.watched.changed(user);
                }
                Ok(Notice::Function { function }) => {
                    inner.cache.catch_up();
                    inner.watched.function_changed(function);
                }
                Ok(Notice::Resync) | Err(RecvError::Lagged(_)) => {
                    inner.cache.catch_up();
                    inner.watched.all_changed();
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            },
            () = inner.watched.wake.notified() => {}
            Some((target, standing)) = reads.next() => {
                let standing = standing.inspect_err(|error| {
                    tracing::warn!(%error, user = %target.user, "the standing of somebody connected cannot be read");
                });
                inner.watched.settle(target, standing.ok(), inner.clock.now());
            }
            _ = tick.tick() => {
                if !inner.database.notices().fresh() {
                    inner.watched.all_changed();
                }
                inner.watched.sweep(inner.clock.now(), AGAIN);
            }
            _ = sweep.tick() => {
                inner.tracker.spawn(sweep_sessions(Arc::clone(&inner)));
            }
        }
    }
}

/// What the database says of a target now.
async fn read(inner: &Inner, target: Target) -> (Target, Result<Standing, StorageError>) {
    (target, standing(inner, target).await)
}

async fn standing(inner: &Inner, target: Target) -> Result<Standing, StorageError> {
    let ended = |ended| Ok(Standing::Ended(ended));
    let now = inner.clock.now();
    let user = match inner.database.user(&Principal::System("identity"), target.user).await {
        Ok(user) => user,
        Err(StorageError::NotFound) => return ended(Ended::SignedOut),
        Err(error) => return Err(error),
    };
    if user.disabled {
        return ended(Ended::SignedOut);
    }
    let via = match target.by {
        By::Session(id) => Via::Session(id),
        By::ApiKey(id) => Via::ApiKey { id, scopes: Vec::new() },
        By::Function(id) => Via::Function { id, models: Arc::default(), depth: 1 },
    };
    let principal = Principal::User { id: user.id, role: user.role, epoch: user.epoch, via };
    let expires_at = match target.by {
        By::Session(id) => {
            let sessions = inner.database.sessions(&principal, now).await?;
            sessions.iter().find(|session| session.id == id).map(|session| Some(session.expires_at))
        }
        By::ApiKey(id) => {
            let keys = inner.database.api_keys(&principal).await?;
            let key = keys.iter().find(|key| key.id == id);
            key.map(|key| key.expires_at).filter(|expires_at| expires_at.is_none_or(|at| now < at))
        }
        By::Function(id) => {
            let rights = inner.database.function_rights(&Principal::System("identity"), id).await?;
            // What it reads so long is the answer of a model.
            rights.filter(|(_, models)| *models != ModelAccess::Off).map(|_| None)
        }
    };
    let Some(expires_at) = expires_at else { return ended(Ended::SignedOut) };
    if user.role != target.role {
        return ended(Ended::RightsChanged);
    }
    Ok(Standing::Good { expires_at })
}

async fn sweep_sessions(inner: Arc<Inner>) {
    match inner.database.sweep_sessions(inner.clock.now()).await {
        Ok(0) => {}
        Ok(ended) => tracing::debug!(ended, "removed sessions that had run out"),
        Err(error) => tracing::warn!(%error, "sessions that have run out could not be removed"),
    }
}

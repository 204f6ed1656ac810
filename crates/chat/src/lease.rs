//! Leases: this process says that it lives, and ends the generations of those that no longer do.

use std::time::{Duration, Instant};

use stoa_storage::{Engine as DatabaseEngine, StorageError};

use crate::engine::Engine;
use crate::log;

const HEARTBEAT: Duration = Duration::from_secs(2);
/// After this long without a heartbeat, an instance is dead and its generations are interrupted.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
const ORPHANS_AT_ONCE: u64 = 100;

/// Runs until the engine closes.
pub(crate) async fn keep(engine: Engine) {
    // Who was cut off from the database sees everybody's heartbeat as old. It takes a whole lease of good heartbeats of
    // our own before anybody is declared dead. SQLite is ours alone: others in it are dead for certain.
    let mut healthy_since = Some(Instant::now());
    let sole = engine.database().engine() == DatabaseEngine::Sqlite;
    loop {
        match beat(&engine).await {
            Ok(()) => {
                let since = *healthy_since.get_or_insert_with(Instant::now);
                if (sole || since.elapsed() >= LEASE)
                    && let Err(error) = end_orphans(&engine).await
                {
                    tracing::warn!(%error, "orphaned answers could not be ended now");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the heartbeat did not reach the database");
                healthy_since = None;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(HEARTBEAT) => {}
            () = engine.closed() => return,
        }
    }
}

async fn beat(engine: &Engine) -> Result<(), StorageError> {
    let now = engine.now();
    if !engine.database().heartbeat(engine.instance(), now).await? {
        tracing::warn!("this instance was thought dead; it starts over");
        engine.database().register_instance(engine.instance(), env!("CARGO_PKG_VERSION"), now).await?;
    }
    for generation in engine.database().stop_requests(engine.instance()).await? {
        engine.stop_local(generation);
    }
    Ok(())
}

pub(crate) async fn end_orphans(engine: &Engine) -> Result<(), StorageError> {
    let now = engine.now();
    let silent_since = now.minus(LEASE);
    for orphan in engine.database().orphans(silent_since, ORPHANS_AT_ONCE).await? {
        if engine.database().interrupt_orphan(orphan.id, silent_since, now, log::fold).await? {
            tracing::warn!(generation = %orphan.id, "an answer whose server died is marked interrupted");
        }
    }
    Ok(())
}

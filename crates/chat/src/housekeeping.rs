//! What has had its time goes: expired sessions, conversations deleted long ago, instances silent for long.

use std::time::Duration;

use stoa_storage::StorageError;

use crate::engine::Engine;

const EVERY: Duration = Duration::from_mins(10);
/// How long a deleted conversation can be restored.
const RESTORABLE: Duration = Duration::from_hours(720);
const SILENT: Duration = Duration::from_hours(1);
/// Deleting a long conversation takes a while; a few at a time leave room for others.
const AT_ONCE: u64 = 20;

pub(crate) async fn keep(engine: Engine) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = engine.closed() => return,
        }
        if let Err(error) = sweep(&engine).await {
            tracing::warn!(%error, "housekeeping is put off");
        }
    }
}

async fn sweep(engine: &Engine) -> Result<(), StorageError> {
    let now = engine.now();
    engine.database().sweep_sessions(now).await?;
    engine.database().sweep_instances(now.minus(SILENT)).await?;
    engine.database().purge_assistants(now.minus(RESTORABLE)).await?;
    while engine.database().purge_conversations(now.minus(RESTORABLE), AT_ONCE).await? == AT_ONCE {
        tokio::task::yield_now().await;
    }
    Ok(())
}

//! What has had its time goes: expired sessions, conversations deleted long ago, instances silent for long, pictures that
//! no message shows.

use std::time::{Duration, Instant};

use stoa_objects::Digest;
use stoa_storage::StorageError;

use crate::engine::Engine;

const EVERY: Duration = Duration::from_mins(10);
/// How long a deleted conversation can be restored.
const RESTORABLE: Duration = Duration::from_hours(720);
/// How long a message that was taken out can be put back.
const PUT_BACK: Duration = Duration::from_hours(1);
const SILENT: Duration = Duration::from_hours(1);
/// Deleting a long conversation takes a while; a few at a time leave room for others.
const AT_ONCE: u64 = 20;
/// How long an upload waits to be sent.
const UNSENT: Duration = Duration::from_hours(24);
/// Nothing puts a blob for as long after it was claimed, and nothing removes one for as long after it was condemned.
const CLAIMED: Duration = Duration::from_hours(1);
/// What was condemned and is not removed by then is left to whoever takes it over.
const REMOVING: Duration = Duration::from_mins(20);
const BLOBS_AT_ONCE: u64 = 100;

pub(crate) async fn keep(engine: Engine) {
    // What should have gone while nobody was there goes at once.
    if let Err(error) = sweep_temporary(&engine).await {
        tracing::warn!(%error, "temporary conversations are removed later");
    }
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

pub(crate) async fn sweep(engine: &Engine) -> Result<(), StorageError> {
    let now = engine.now();
    engine.database().sweep_sessions(now).await?;
    engine.database().sweep_instances(now.minus(SILENT)).await?;
    sweep_temporary(engine).await?;
    while engine.database().purge_messages(now.minus(PUT_BACK), AT_ONCE).await? == AT_ONCE {
        tokio::task::yield_now().await;
    }
    engine.database().purge_assistants(now.minus(RESTORABLE)).await?;
    while engine.database().purge_conversations(now.minus(RESTORABLE), AT_ONCE).await? == AT_ONCE {
        tokio::task::yield_now().await;
    }
    while engine.database().sweep_files(now.minus(UNSENT), BLOBS_AT_ONCE).await? == BLOBS_AT_ONCE {
        tokio::task::yield_now().await;
    }
    sweep_blobs(engine).await
}

async fn sweep_temporary(engine: &Engine) -> Result<(), StorageError> {
    while engine.database().purge_temporary(engine.now(), AT_ONCE).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Removes blobs that no file lies in. They are condemned first, so that whoever uploads the same bytes meanwhile waits
/// until they are gone, and puts them again.
async fn sweep_blobs(engine: &Engine) -> Result<(), StorageError> {
    loop {
        let (now, begun) = (engine.now(), Instant::now());
        let condemned = engine.database().condemn_blobs(now.minus(CLAIMED), now, BLOBS_AT_ONCE).await?;
        for text in &condemned {
            if begun.elapsed() > REMOVING {
                return Ok(());
            }
            let Ok(digest) = text.parse::<Digest>() else {
                return Err(StorageError::Inconsistent { table: "blobs", column: "digest", row: text.clone() });
            };
            match engine.objects().delete(digest).await {
                Ok(()) => engine.database().forget_blob(text).await?,
                // It stays condemned, and is tried again in an hour.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, %digest, "a picture that nobody needs cannot be removed");
                }
            }
        }
        if u64::try_from(condemned.len()).unwrap_or(u64::MAX) < BLOBS_AT_ONCE {
            return Ok(());
        }
    }
}

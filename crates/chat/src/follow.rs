//! Follows a generation that another replica writes, or a browser: reads its log from the database into a live log of our own, once
//! for all readers here.

use std::sync::Arc;
use std::time::Duration;

use stoa_model::{GenerationId, Principal};
use stoa_storage::{GenerationState, Notice, StorageError};
use tokio::sync::broadcast;

use crate::engine::Engine;
use crate::live::{End, EndReason, Live};
use crate::log;

const POLL: Duration = Duration::from_millis(250);
const CHUNKS_AT_ONCE: u64 = 64;
/// Polls without a reader before the follower goes.
const PATIENCE: u32 = 20;

const FOLLOWER: Principal = Principal::System("follower");

/// Runs until the generation has ended or nobody here reads it any more.
pub(crate) async fn follow(engine: Engine, live: Arc<Live>) {
    let id = live.subject.generation;
    let mut notices = engine.database().notices().subscribe();
    let mut alone = 0;
    while alone < PATIENCE && !engine.is_closing() {
        match step(&engine, &live).await {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, generation = %id, "an answer of another replica cannot be read now"),
        }
        alone = if live.has_readers() { 0 } else { alone + 1 };
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = finished(&mut notices, id) => {}
            () = live.nudged() => {}
        }
    }
    engine.forget(id);
}

/// Reads what is new; true when the generation is over.
async fn step(engine: &Engine, live: &Live) -> Result<bool, StorageError> {
    let id = live.subject.generation;
    let state = engine.database().generation(&FOLLOWER, id).await?.state;
    loop {
        let after = live.last_seq();
        let chunks = engine.database().generation_chunks(&FOLLOWER, id, after, CHUNKS_AT_ONCE).await?;
        for chunk in &chunks {
            match log::decode(chunk) {
                Ok(deltas) => {
                    for (seq, (part, text)) in (chunk.first_seq..).zip(deltas) {
                        if seq > live.last_seq() {
                            live.push(part, text);
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, generation = %id, "the log of an answer cannot be followed");
                    return Ok(false);
                }
            }
        }
        if chunks.len() < usize::try_from(CHUNKS_AT_ONCE).unwrap_or(usize::MAX) {
            break;
        }
    }
    match state {
        GenerationState::Running { .. } => Ok(false),
        GenerationState::Ended(_) => {
            live.end(ending(engine, live, true).await?);
            Ok(true)
        }
    }
}

/// How an ended generation is told to readers, from what is kept of it.
pub(crate) async fn ending(engine: &Engine, live: &Live, log_is_partial: bool) -> Result<End, StorageError> {
    use stoa_model::completion::FinishReason;
    use stoa_model::conversation::MessageStatus;

    let row = engine.database().generation(&FOLLOWER, live.subject.generation).await?;
    let message = engine.database().message(&FOLLOWER, live.subject.message).await?;
    let status = match row.state {
        GenerationState::Ended(status) => status,
        GenerationState::Running { .. } => MessageStatus::Interrupted,
    };
    let reason = match (status, &message.error) {
        (MessageStatus::Complete | MessageStatus::Running, _) => {
            // Answers of releases that did not keep it have none.
            EndReason::Finished(message.finish_reason.unwrap_or(FinishReason::Stop))
        }
        (MessageStatus::Stopped, _) => EndReason::Stopped,
        (MessageStatus::Failed, Some(failure)) => EndReason::Failed(failure.clone()),
        (MessageStatus::Interrupted | MessageStatus::Failed, _) => EndReason::Interrupted,
    };
    if let Some(usage) = message.usage {
        live.set_usage(usage);
    }
    Ok(End { reason, message: Some(message), log_is_partial, last_seq: row.last_seq })
}

async fn finished(notices: &mut broadcast::Receiver<Notice>, id: GenerationId) {
    loop {
        match notices.recv().await {
            Ok(Notice::Finished { generation }) if generation == id => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

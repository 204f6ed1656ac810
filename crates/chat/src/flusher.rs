//! Writes what all running generations have new: at most every 200 ms, at once when one has ended, always in one
//! transaction.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_model::{Clock, Timestamp};
use stoa_storage::{Append, AppendOutcome, Chunk, Database, Lease, Outcome, StorageError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::live::{EndReason, Live};

/// A token is on disk at most 250 ms after it came: this, and the time of a transaction.
const EVERY: Duration = Duration::from_millis(200);
const RETRY_AT_MOST: Duration = Duration::from_secs(2);

/// A generation that this process writes.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) live: Arc<Live>,
    lease: Lease,
    /// Somebody pressed stop.
    pub(crate) stop: CancellationToken,
    /// Another replica has taken the generation over.
    pub(crate) lost: CancellationToken,
    /// Its end is in the database.
    pub(crate) kept: CancellationToken,
    queued: AtomicBool,
    flushed: AtomicU64,
    ending: Mutex<Option<Ending>>,
}

/// How a run ended, waiting to be written.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    pub(crate) reason: EndReason,
}

impl Run {
    pub(crate) fn new(live: Arc<Live>, lease: Lease) -> Arc<Self> {
        Arc::new(Self {
            live,
            lease,
            stop: CancellationToken::new(),
            lost: CancellationToken::new(),
            kept: CancellationToken::new(),
            queued: AtomicBool::new(false),
            flushed: AtomicU64::new(0),
            ending: Mutex::new(None),
        })
    }

    fn ending(&self) -> Option<Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What this run has to write.
    fn append(&self) -> Append {
        let ending = self.ending();
        let flushed = self.flushed.load(Ordering::Acquire);
        // An ended generation is folded into its message in the same transaction; its last chunk would be deleted there.
        let fresh = if ending.is_some() { None } else { self.live.encode_after(flushed) };
        Append {
            generation: self.live.subject.generation,
            lease: self.lease,
            chunk: fresh.map(|(last_seq, data)| Chunk { first_seq: flushed + 1, last_seq, data }),
            outcome: ending.map(|ending| ending.outcome),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Flusher {
    dirty: Mutex<Vec<Arc<Run>>>,
    wake: Notify,
    urgent: Notify,
}

impl Flusher {
    /// Says that the run has something new to write.
    pub(crate) fn touch(&self, run: &Arc<Run>) {
        if !run.queued.swap(true, Ordering::AcqRel) {
            self.queue(Arc::clone(run));
        }
    }

    /// Says that the run has ended, which is written without waiting.
    pub(crate) fn finish(&self, run: &Arc<Run>, ending: Ending) {
        *run.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
        self.touch(run);
        self.urgent.notify_one();
    }

    /// Runs until `shutdown`, and then until nothing is left to write. Ended runs go to `ended`.
    pub(crate) async fn work(
        &self,
        database: Database,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
        ended: impl Fn(Vec<(Arc<Run>, Ending)>),
    ) {
        let mut retry = EVERY;
        loop {
            if self.is_empty() {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = shutdown.cancelled() => {
                        if self.is_empty() {
                            return;
                        }
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.urgent.notified() => {}
                () = shutdown.cancelled() => {}
            }
            let runs = self.take();
            if runs.is_empty() {
                continue;
            }
            match write(&database, &runs, clock.now()).await {
                Ok(over) => {
                    retry = EVERY;
                    if !over.is_empty() {
                        ended(over);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, generations = runs.len(), "answers wait for the database");
                    for run in &runs {
                        self.touch(run);
                    }
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_AT_MOST);
                }
            }
        }
    }

    fn queue(&self, run: Arc<Run>) {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.push(run);
        if dirty.len() == 1 {
            self.wake.notify_one();
        }
    }

    fn take(&self) -> Vec<Arc<Run>> {
        let runs = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        for run in &runs {
            run.queued.store(false, Ordering::Release);
        }
        runs
    }

    fn is_empty(&self) -> bool {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Writes all runs in one transaction. Should the database refuse that, each alone, so that one bad answer does not hold
/// the others up.
async fn write(
    database: &Database,
    runs: &[Arc<Run>],
    now: Timestamp,
) -> Result<Vec<(Arc<Run>, Ending)>, StorageError> {
    match write_batch(database, runs, now).await {
        Err(error @ StorageError::Unavailable(_)) => Err(error),
        Err(error) if runs.len() > 1 => {
            tracing::error!(%error, "the log of several answers was refused; each is written alone");
            let mut over = Vec::new();
            for run in runs {
                match write_batch(database, std::slice::from_ref(run), now).await {
                    Ok(ended) => over.extend(ended),
                    Err(error) => abandon(run, &error),
                }
            }
            Ok(over)
        }
        Err(error) => {
            for run in runs {
                abandon(run, &error);
            }
            Ok(Vec::new())
        }
        written => written,
    }
}

fn abandon(run: &Run, error: &StorageError) {
    tracing::error!(%error, generation = %run.live.subject.generation, "an answer cannot be kept and is given up");
    run.lost.cancel();
}

async fn write_batch(
    database: &Database,
    runs: &[Arc<Run>],
    now: Timestamp,
) -> Result<Vec<(Arc<Run>, Ending)>, StorageError> {
    let appends: Vec<Append> = runs.iter().map(|run| run.append()).collect();
    let outcomes = database.append_generations(&appends, now).await?;
    let mut ended = Vec::new();
    for ((run, append), outcome) in runs.iter().zip(appends).zip(outcomes) {
        match outcome {
            AppendOutcome::Appended { stop_requested } => {
                if let Some(chunk) = append.chunk {
                    run.flushed.store(chunk.last_seq, Ordering::Release);
                }
                if append.outcome.is_some()
                    && let Some(ending) = run.ending()
                {
                    run.kept.cancel();
                    ended.push((Arc::clone(run), ending));
                } else if stop_requested {
                    run.stop.cancel();
                }
            }
            AppendOutcome::Fenced => run.lost.cancel(),
        }
    }
    Ok(ended)
}

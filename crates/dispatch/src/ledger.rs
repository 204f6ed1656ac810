//! Writes settled calls to the usage ledger: in batches, in the background, again after the database was away.

use std::time::Duration;

use stoa_model::Principal;
use stoa_storage::{Database, StorageError, UsageRow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many settled calls may wait for the database. At 1,000 calls a second that is more than a minute away.
const WAITING: usize = 100_000;
const BATCH: usize = 1_000;
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    rows: mpsc::Sender<UsageRow>,
}

impl Ledger {
    pub(crate) fn start(database: Database, tracker: &TaskTracker, shutdown: CancellationToken) -> Self {
        let (rows, receiver) = mpsc::channel(WAITING);
        tracker.spawn(write(database, receiver, shutdown));
        Self { rows }
    }

    pub(crate) fn record(&self, row: UsageRow) {
        if let Err(error) = self.rows.try_send(row) {
            tracing::error!(%error, "a settled call could not be queued for the usage ledger and is lost");
        }
    }
}

async fn write(database: Database, mut rows: mpsc::Receiver<UsageRow>, shutdown: CancellationToken) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            received = rows.recv_many(&mut batch, BATCH) => {
                if received == 0 {
                    return;
                }
                append(&database, &mut batch, &shutdown).await;
            }
            () = shutdown.cancelled() => rows.close(),
        }
        if rows.is_closed() && rows.is_empty() {
            return;
        }
    }
}

async fn append(database: &Database, batch: &mut Vec<UsageRow>, shutdown: &CancellationToken) {
    loop {
        match database.record_usage(&Principal::System("ledger"), batch.clone()).await {
            Ok(()) => break batch.clear(),
            Err(StorageError::Unavailable(error)) if !shutdown.is_cancelled() => {
                tracing::warn!(%error, rows = batch.len(), "the usage ledger waits for the database");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                tracing::error!(%error, rows = batch.len(), "usage rows could not be written and are lost");
                break batch.clear();
            }
        }
    }
}

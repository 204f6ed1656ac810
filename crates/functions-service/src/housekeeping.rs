//! What has had its time goes: packages that no code wants, what lies unpacked on this machine's disk and nobody runs, and the
//! files of removed volumes.

use std::time::Duration;

use stoa_storage::StorageError;
use tokio_util::sync::CancellationToken;

use crate::service::FunctionService;

/// The disk of this machine.
const EVERY: Duration = Duration::from_mins(1);
/// What several servers share, every so often.
const SHARED_TICKS: u32 = 10;
/// How long packages are kept whose code is no function's and no version's.
const PACKAGES: Duration = Duration::from_hours(24);

pub(crate) async fn keep(service: FunctionService, shutdown: CancellationToken) {
    loop {
        if let Err(error) = sweep_shared(&service).await {
            tracing::warn!(%error, "housekeeping of functions is put off");
        }
        for _ in 0..SHARED_TICKS {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => service.sweep_disk().await,
                () = shutdown.cancelled() => return,
            }
        }
    }
}

async fn sweep_shared(service: &FunctionService) -> Result<(), StorageError> {
    service.clear_removed_volumes().await?;
    let now = service.clock().now();
    let swept = service.database().sweep_function_builds(now.minus(PACKAGES), now).await?;
    if swept > 0 {
        tracing::info!(swept, "packages that no function needs any more are removed");
    }
    Ok(())
}

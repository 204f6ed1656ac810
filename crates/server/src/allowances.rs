//! Keeps the addresses that admins allowed in force at the way out, whichever replica they were allowed at.

use stoa_egress::{Authority, Egress};
use stoa_model::Principal;
use stoa_storage::{Database, Notice, StorageError};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Reads the allowed addresses and puts them in force.
pub async fn load_allowances(database: &Database, egress: &Egress) -> Result<(), StorageError> {
    let allowances = database.allowances(&Principal::System("egress")).await?;
    let granted = allowances.iter().filter_map(|allowance| match allowance.authority.parse::<Authority>() {
        Ok(authority) => Some(authority),
        Err(error) => {
            tracing::warn!(authority = %allowance.authority, %error, "an allowed address is none; it is left out");
            None
        }
    });
    egress.allowances().replace(granted);
    Ok(())
}

/// Follows the changes that admins make, here or at another replica, until `shutdown`.
pub async fn follow_allowances(database: Database, egress: Egress, shutdown: CancellationToken) {
    let mut notices = database.notices().subscribe();
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            () = shutdown.cancelled() => return,
        };
        match notice {
            Ok(Notice::Settings | Notice::Resync) | Err(RecvError::Lagged(_)) => {
                if let Err(error) = load_allowances(&database, &egress).await {
                    tracing::warn!(%error, "allowed addresses could not be read again; the last known ones stay");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

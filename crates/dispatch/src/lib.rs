//! The one path of every model call: resolve the model, reserve budget, run the attempts, settle, write the usage ledger.
//!
//! The chat and the outward APIs go through [`Dispatch::call`]; nothing else opens an [`Upstream`].
//!
//! [`Upstream`]: stoa_model::completion::Upstream

mod budget;
mod call;
mod catalogue;
mod figures;
mod ledger;
mod receipt;
mod rests;
mod settling;

use std::sync::Arc;

use stoa_model::provider::AvailableModel;
use stoa_model::{Clock, Principal};
use stoa_storage::{Database, Notice, StorageError};
use stoa_telemetry::metrics::prometheus_client::registry::Registry;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use budget::{Budget, OverBudget, Reservation, Unlimited};
pub use call::{Answering, Call};
pub use catalogue::{LocalModels, NoLocalModels, UpstreamFactory};
pub use receipt::Receipt;

use catalogue::Catalogue;
use figures::Figures;
use ledger::Ledger;
use rests::Rests;

/// Cheap to clone; all clones share the catalogue and the ledger.
#[derive(Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    catalogue: Catalogue,
    budget: Box<dyn Budget>,
    ledger: Ledger,
    figures: Figures,
    rests: Rests,
    clock: Arc<dyn Clock>,
    /// One reading at a time, so that an older one never comes in force over a newer.
    reading: tokio::sync::Mutex<()>,
}

impl Dispatch {
    /// Reads the providers, and keeps the catalogue and the ledger until `shutdown`, which comes after the last call
    /// has settled.
    pub async fn start(
        database: Database,
        factory: Box<dyn UpstreamFactory>,
        local: Arc<dyn LocalModels>,
        clock: Arc<dyn Clock>,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Self, StorageError> {
        let ledger = Ledger::start(database.clone(), tracker, shutdown.clone());
        let catalogue = Catalogue::new(factory, local);
        let budget = Box::new(Unlimited);
        let dispatch = Self {
            shared: Arc::new(Shared {
                database,
                catalogue,
                budget,
                ledger,
                figures: Figures::default(),
                rests: Rests::default(),
                clock,
                reading: tokio::sync::Mutex::default(),
            }),
        };
        let notices = dispatch.shared.database.notices().subscribe();
        dispatch.reload().await?;
        tracker.spawn(follow_settings(dispatch.clone(), notices, shutdown));
        Ok(dispatch)
    }

    /// Every model that the principal may pick, local ones first.
    pub fn models(&self, principal: &Principal) -> Vec<AvailableModel> {
        self.shared.catalogue.models(principal)
    }

    /// One of these, if the principal may pick it.
    pub fn model(&self, principal: &Principal, id: &str) -> Option<AvailableModel> {
        self.shared.catalogue.model(principal, id)
    }

    /// Adds what is measured of all calls.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.shared.figures.register(registry);
    }

    /// For calls whose rows of the ledger the caller writes itself.
    pub fn receipt(&self) -> Receipt {
        Receipt::new(self.shared.ledger.clone())
    }

    /// Reads the providers again.
    pub async fn reload(&self) -> Result<(), StorageError> {
        let _reading = self.shared.reading.lock().await;
        let providers = self.shared.database.providers_with_keys(&Principal::System("dispatch")).await?;
        self.shared.catalogue.replace(providers);
        self.shared.rests.forget_all();
        Ok(())
    }
}

/// Keeps the catalogue true while admins, here or on another replica, change providers.
async fn follow_settings(
    dispatch: Dispatch,
    mut notices: tokio::sync::broadcast::Receiver<Notice>,
    shutdown: CancellationToken,
) {
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            () = shutdown.cancelled() => return,
        };
        match notice {
            Ok(Notice::Settings | Notice::Resync) | Err(RecvError::Lagged(_)) => {
                if let Err(error) = dispatch.reload().await {
                    tracing::warn!(%error, "providers could not be read again; the last known ones stay");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

//! Interpreters of one version that wait in its own sandbox with its packages read: what is left of a start is to run the
//! code. Each is an instance of its own, behind the lock of all, and not the child of one that others come from: the children
//! of one process would share its network, its ports and its processes.

use std::sync::Arc;
use std::time::Duration;

use stoa_functions::Version;

use crate::host::Host;
use crate::instance::plan;
use crate::interpreter;
use crate::sandbox::Sandbox;
use crate::shelf::{Making, Shelf};

const SOON: Duration = Duration::from_secs(1);

pub(crate) struct Prepared {
    host: Arc<Host>,
    version: Arc<Version>,
    /// None where the version wants nothing of this.
    shelf: Option<Arc<Shelf>>,
}

impl Prepared {
    pub(crate) fn of(host: &Arc<Host>, version: &Arc<Version>) -> Self {
        let wanted = usize::try_from(version.spec.prepared).unwrap_or(usize::MAX);
        let shelf = version.spec.script().filter(|_| wanted > 0).map(|(runtime, arguments)| {
            let command = interpreter::prepared(runtime, arguments);
            let (from, of) = (Arc::clone(host), Arc::clone(version));
            let make = move |name: String| -> Making {
                let (host, version, command) = (Arc::clone(&from), Arc::clone(&of), command.clone());
                Box::pin(async move {
                    // It has no volumes: they are for those that are watched while they write.
                    let mut request = plan::request(&host, &version, &name).map_err(std::io::Error::other)?;
                    request.plan.command = command;
                    request.plan.takes_code = true;
                    request.plan.port = None;
                    request.plan.doors = Vec::new();
                    Sandbox::make(&host, request).await
                })
            };
            Shelf::new(host, version.id.as_str(), wanted, Some(Arc::clone(&host.prepared)), make)
        });
        Self { host: Arc::clone(host), version: Arc::clone(version), shelf }
    }

    pub(crate) fn fill(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.fill();
        }
    }

    /// When whoever may have made the version known by calling it has had the machine for a while.
    pub(crate) fn fill_soon(self: &Arc<Self>) {
        if self.shelf.is_some() {
            let prepared = Arc::clone(self);
            self.host.tracker.spawn(async move {
                tokio::time::sleep(SOON).await;
                prepared.fill();
            });
        }
    }

    /// A sandbox in which the version runs, if one waits.
    pub(crate) async fn claim(&self) -> Option<Sandbox> {
        let sandbox = self.shelf.as_ref()?.take(|_| true)?;
        let (_, arguments) = self.version.spec.script()?;
        interpreter::claim(&self.host, sandbox, &self.version, arguments).await
    }

    pub(crate) fn waiting(&self) -> usize {
        self.shelf.as_ref().map_or(0, |shelf| shelf.waiting())
    }

    pub(crate) async fn close(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.close().await;
        }
    }
}

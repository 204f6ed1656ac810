//! Sandboxes that wait, as many as are wanted, each made anew when one was taken.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::host::Host;
use crate::sandbox::{MakeError, Sandbox};

/// One that will wait.
pub(crate) type Making = Pin<Box<dyn Future<Output = Result<Sandbox, MakeError>> + Send>>;

pub(crate) struct Shelf {
    host: Arc<Host>,
    /// What the names of its sandboxes begin with. No instance's does.
    name: String,
    wanted: usize,
    /// For all shelves that share it, where more are not wanted on this machine.
    room: Option<Arc<Semaphore>>,
    make: Box<dyn Fn(String) -> Making + Send + Sync>,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    waiting: VecDeque<(Sandbox, Option<OwnedSemaphorePermit>)>,
    /// Those that will wait soon.
    making: usize,
    made: u64,
    closed: bool,
}

impl Shelf {
    pub(crate) fn new(
        host: &Arc<Host>,
        name: &str,
        wanted: usize,
        room: Option<Arc<Semaphore>>,
        make: impl Fn(String) -> Making + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (host, name, make) = (Arc::clone(host), format!("waiting.{name}"), Box::new(make));
        Arc::new(Self { host, name, wanted, room, make, contents: Mutex::default() })
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is missing, in the background.
    pub(crate) fn fill(self: &Arc<Self>) {
        let (dead, missing) = {
            let mut contents = self.contents();
            let all = std::mem::take(&mut contents.waiting);
            let (alive, dead): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(|(one, _)| one.is_alive());
            contents.waiting = alive;
            let there = contents.waiting.len() + contents.making;
            let missing = if contents.closed { 0 } else { self.wanted.saturating_sub(there) };
            contents.making += missing;
            (dead, missing)
        };
        for (sandbox, _) in dead {
            self.host.tracker.spawn(async move { sandbox.end().await });
        }
        for _ in 0..missing {
            let this = Arc::clone(self);
            self.host.tracker.spawn(async move { this.add().await });
        }
    }

    async fn add(&self) {
        let made = self.make().await;
        let refused = {
            let mut contents = self.contents();
            contents.making -= 1;
            match made {
                Some((sandbox, _)) if contents.closed => Some(sandbox),
                made => {
                    contents.waiting.extend(made);
                    None
                }
            }
        };
        if let Some(sandbox) = refused {
            sandbox.end().await;
        }
    }

    async fn make(&self) -> Option<(Sandbox, Option<OwnedSemaphorePermit>)> {
        let room = match &self.room {
            Some(room) => Some(Arc::clone(room).try_acquire_owned().ok()?),
            None => None,
        };
        let name = {
            let mut contents = self.contents();
            contents.made += 1;
            format!("{}.{}", self.name, contents.made)
        };
        match (self.make)(name).await {
            Ok(sandbox) => Some((sandbox, room)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, shelf = self.name, "no interpreter waits for functions");
                None
            }
        }
    }

    /// One that lives and is fit, the longest waiting first.
    pub(crate) fn take(&self, fits: impl Fn(&Sandbox) -> bool) -> Option<Sandbox> {
        let mut contents = self.contents();
        let place = contents.waiting.iter().position(|(sandbox, _)| sandbox.is_alive() && fits(sandbox))?;
        contents.waiting.remove(place).map(|(sandbox, _)| sandbox)
    }

    /// How many there are that live.
    pub(crate) fn waiting(&self) -> usize {
        self.contents().waiting.iter().filter(|(sandbox, _)| sandbox.is_alive()).count()
    }

    /// Nothing waits any more.
    pub(crate) async fn close(&self) {
        let waiting = {
            let mut contents = self.contents();
            contents.closed = true;
            std::mem::take(&mut contents.waiting)
        };
        for (sandbox, _) in waiting {
            sandbox.end().await;
        }
    }
}

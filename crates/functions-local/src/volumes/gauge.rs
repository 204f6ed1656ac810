//! What one volume takes, measured once for all who ask, and no more often than it is worth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Volume, VolumeError};
use crate::measuring;
use crate::room::Reserve;
use crate::tree::{self, TreeError, Usage};

/// Files and folders of a volume, each of which a look at it costs.
const MOST_ENTRIES: u64 = 1_000_000;

/// What stays free on the disk that volumes lie on, however large they may be.
const RESERVE: Reserve = Reserve { bytes: 1 << 30, part: 20 };

/// What was found.
#[derive(Clone, Debug)]
pub struct Measured {
    /// On the disk.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// What stands in the way of more, whatever its size.
    obstacle: Option<String>,
}

impl Measured {
    /// Why nothing more may be written, if that is so.
    pub fn fault(&self, most_bytes: u64) -> Option<String> {
        if self.bytes > most_bytes {
            return Some(format!("it takes {} of {} MiB", self.bytes.div_ceil(1 << 20), most_bytes >> 20));
        }
        self.obstacle.clone()
    }
}

#[derive(Debug, Default)]
pub(super) struct Gauge {
    most_bytes: AtomicU64,
    latest: Mutex<Latest>,
    /// Whoever measures.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Latest {
    found: Option<(Measured, Instant, Duration)>,
    /// Counts what makes it old.
    changes: u64,
}

impl Gauge {
    pub(super) fn set_size(&self, most_bytes: u64) {
        self.most_bytes.store(most_bytes, Ordering::Relaxed);
    }

    pub(super) fn size(&self) -> u64 {
        self.most_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        let mut latest = self.latest();
        latest.found = None;
        latest.changes += 1;
    }

    pub(super) fn forget_what_was_cheap(&self) {
        if self.latest().found.as_ref().is_some_and(|(.., took)| measuring::is_cheap(*took)) {
            self.forget();
        }
    }

    pub(super) fn add(&self, bytes: u64) -> Option<Measured> {
        let mut latest = self.latest();
        let (measured, ..) = latest.found.as_mut()?;
        measured.bytes = measured.bytes.saturating_add(bytes);
        Some(measured.clone())
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Measured> {
        let latest = self.latest();
        let (measured, at, took) = latest.found.as_ref()?;
        (at.elapsed() < measuring::good_for(*took)).then(|| measured.clone())
    }

    pub(super) async fn measure(
        &self,
        turns: &Semaphore,
        open: impl FnOnce() -> Result<Volume, VolumeError> + Send + 'static,
    ) -> Result<Measured, VolumeError> {
        if let Some(measured) = self.fresh() {
            return Ok(measured);
        }
        let _turn = self.turn.lock().await;
        // By whoever had the turn before.
        if let Some(measured) = self.fresh() {
            return Ok(measured);
        }
        let changes = self.latest().changes;
        let _together = turns.acquire().await.map_err(std::io::Error::other)?;
        let began = Instant::now();
        let looked = tokio::task::spawn_blocking(move || look(&open()?)).await;
        let measured = looked.map_err(std::io::Error::other)??;
        let mut latest = self.latest();
        if latest.changes == changes {
            latest.found = Some((measured.clone(), Instant::now(), began.elapsed()));
        }
        Ok(measured)
    }
}

/// Blocks.
fn look(volume: &Volume) -> Result<Measured, VolumeError> {
    let (usage, mut obstacle) = match tree::usage(&volume.folder, MOST_ENTRIES) {
        Ok(usage) => (usage, None),
        // It is there, and cannot be counted. So nobody knows that there is room.
        Err(error @ (TreeError::Deep | TreeError::Entries { .. })) => (Usage::default(), Some(error.to_string())),
        Err(TreeError::Io(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            (Usage::default(), Some("it holds a folder that its own user may not read".to_owned()))
        }
        Err(TreeError::Io(error)) => return Err(error.into()),
        Err(error) => return Err(std::io::Error::other(error).into()),
    };
    if RESERVE.is_short(&volume.folder)? {
        obstacle.get_or_insert_with(|| "the disk of the server is almost full".to_owned());
    }
    Ok(Measured { bytes: usage.bytes, entries: usage.entries, obstacle })
}

//! What a job writes to the disks of the host, counted while it does.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::time::Instant;

use super::JobLimits;
use crate::measuring;
use crate::tree::{TreeError, Usage, usage};

/// Folders that a job writes to.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    folders: Arc<[OwnedFd]>,
    /// Was in the cache before.
    before: Usage,
}

impl Disk {
    /// Blocks.
    pub(super) fn of(folders: Vec<OwnedFd>) -> Result<Self, TreeError> {
        let mut disk = Self { folders: folders.into(), before: Usage::default() };
        disk.before = disk.usage()?;
        Ok(disk)
    }

    fn usage(&self) -> Result<Usage, TreeError> {
        self.folders.iter().try_fold(Usage::default(), |sum, folder| {
            let more = usage(folder, u64::MAX)?;
            Ok(Usage { entries: sum.entries + more.entries, bytes: sum.bytes.saturating_add(more.bytes) })
        })
    }

    /// Blocks.
    fn check(&self, limits: &JobLimits) -> Result<(), TreeError> {
        let now = self.usage()?;
        if now.bytes.saturating_sub(self.before.bytes) > limits.disk_bytes {
            return Err(TreeError::Bytes { most: limits.disk_bytes });
        }
        if now.entries.saturating_sub(self.before.entries) > limits.files {
            return Err(TreeError::Entries { most: limits.files });
        }
        Ok(())
    }

    /// Once.
    pub(super) async fn look(&self, limits: &JobLimits) -> Result<(), String> {
        let (disk, limits) = (self.clone(), *limits);
        let looked = tokio::task::spawn_blocking(move || disk.check(&limits)).await;
        looked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Returns when it is too much, with what that is.
    pub(super) async fn until_full(&self, limits: &JobLimits) -> String {
        loop {
            let began = Instant::now();
            if let Err(detail) = self.look(limits).await {
                return detail;
            }
            tokio::time::sleep(measuring::good_for(began.elapsed())).await;
        }
    }
}

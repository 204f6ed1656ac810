//! Volumes as their owners have them: made and removed with their folders, measured, filled and read.

use std::collections::HashMap;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use stoa_functions::{Spec, VolumeKey};
use stoa_functions_local::{Listing, Measured, Volume, VolumeError, Volumes};
use stoa_model::volume::FunctionVolume;
use stoa_model::{Principal, UserId};
use stoa_storage::{NewVolume, RemovedVolume, StorageError, VolumeChange};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::service::{FunctionService, ServiceError};

/// Uploads and downloads at once, of all people together and of one.
const TRANSFERS: usize = 32;
const TRANSFERS_PER_USER: usize = 6;
/// How long a list waits to be told what a volume takes.
const PATIENCE: Duration = Duration::from_secs(3);
const PIECE: usize = 128 * 1024;

/// Why something about a volume did not come about.
#[derive(Debug, thiserror::Error)]
pub enum VolumeTrouble {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("volumes of one person have at most {most_mib} MiB together")]
    TooLargeTogether { most_mib: u64 },
    #[error("too many files are sent and fetched already")]
    Busy,
    #[error("a file has at most {most} bytes")]
    TooLarge { most: u64 },
    /// Of whoever sends.
    #[error("the file did not come to its end")]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}")]
    Internal(String),
}

/// What a file comes as, and goes as.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

pub(crate) struct Shelf {
    pub(crate) all: Arc<Volumes>,
    transfers: Arc<Semaphore>,
    transferring: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One upload or download, until it is dropped.
struct Transfer {
    owner: UserId,
    of: Arc<Mutex<HashMap<UserId, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.owner);
            }
        }
    }
}

impl Shelf {
    pub(crate) fn new(folder: std::path::PathBuf) -> Self {
        let transfers = Arc::new(Semaphore::new(TRANSFERS));
        Self { all: Arc::new(Volumes::new(folder)), transfers, transferring: Arc::default() }
    }

    fn begin(&self, owner: UserId) -> Result<Transfer, VolumeTrouble> {
        let permit = Arc::clone(&self.transfers).try_acquire_owned().map_err(|_| VolumeTrouble::Busy)?;
        let mut of = self.transferring.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry(owner).or_default();
        if *count >= TRANSFERS_PER_USER {
            return Err(VolumeTrouble::Busy);
        }
        *count += 1;
        Ok(Transfer { owner, of: Arc::clone(&self.transferring), _permit: permit })
    }
}

fn key(volume: &FunctionVolume) -> VolumeKey {
    VolumeKey { owner: volume.owner, volume: volume.id }
}

fn refused(error: StorageError, most_mib: u64) -> VolumeTrouble {
    match error {
        StorageError::Refused("the volumes would be too large together") => {
            VolumeTrouble::TooLargeTogether { most_mib }
        }
        error => error.into(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeTrouble> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| VolumeTrouble::Internal(error.to_string()))??)
}

impl FunctionService {
    /// Makes a volume with its folder.
    pub async fn create_volume(&self, principal: &Principal, new: NewVolume) -> Result<FunctionVolume, VolumeTrouble> {
        let now = self.clock().now();
        let most_mib = self.volumes_mib();
        let made = self.database().create_function_volume(principal, new, most_mib, now).await;
        let made = made.map_err(|error| refused(error, most_mib))?;
        let (all, which) = (Arc::clone(&self.shelf().all), key(&made));
        if let Err(error) = blocking(move || all.create(which)).await {
            // As if it had never been.
            let removed = self.database().remove_function_volume(principal, &made.name, now).await?;
            self.clear(removed).await;
            return Err(error);
        }
        Ok(made)
    }

    pub async fn change_volume(
        &self,
        principal: &Principal,
        name: &str,
        change: VolumeChange,
    ) -> Result<FunctionVolume, VolumeTrouble> {
        let most_mib = self.volumes_mib();
        let changed = self.database().change_function_volume(principal, name, change, most_mib).await;
        let changed = changed.map_err(|error| refused(error, most_mib))?;
        self.shelf().all.set_size(changed.id, changed.most_bytes());
        Ok(changed)
    }

    /// Removes a volume that no function mounts, with all that is in it.
    pub async fn remove_volume(&self, principal: &Principal, name: &str) -> Result<(), VolumeTrouble> {
        let removed = self.database().remove_function_volume(principal, name, self.clock().now()).await?;
        let service = self.clone();
        // That may take its time, and nobody sees it any more.
        self.tracker().spawn(async move { service.clear(removed).await });
        Ok(())
    }

    /// What a volume takes; nothing where it cannot be reached now.
    pub async fn measure_volume(&self, volume: &FunctionVolume) -> Option<Measured> {
        self.shelf().all.set_size(volume.id, volume.most_bytes());
        let measured = tokio::time::timeout(PATIENCE, self.shelf().all.measure(key(volume))).await;
        match measured.ok()? {
            Ok(measured) => Some(measured),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, volume = %volume.id, "a volume cannot be measured");
                None
            }
        }
    }

    async fn opened<T: Send + 'static>(
        &self,
        volume: &FunctionVolume,
        work: impl FnOnce(&Volume) -> Result<T, VolumeError> + Send + 'static,
    ) -> Result<T, VolumeTrouble> {
        let (all, which) = (Arc::clone(&self.shelf().all), key(volume));
        blocking(move || work(&all.open(which)?)).await
    }

    /// What is in a folder of a volume.
    pub async fn list_volume(&self, volume: &FunctionVolume, path: String) -> Result<Listing, VolumeTrouble> {
        self.opened(volume, move |opened| opened.list(&path)).await
    }

    /// A file of a volume, and how many bytes it has.
    pub async fn read_volume(&self, volume: &FunctionVolume, path: String) -> Result<(u64, Pieces), VolumeTrouble> {
        let transfer = self.shelf().begin(volume.owner)?;
        let (file, bytes) = self.opened(volume, move |opened| opened.read(&path)).await?;
        let pieces = futures_util::stream::try_unfold((file, bytes, transfer), |(file, left, transfer)| async move {
            if left == 0 {
                return Ok(None);
            }
            let (file, piece) = tokio::task::spawn_blocking(move || piece(file, left)).await??;
            let left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            Ok(Some((piece, (file, left, transfer))))
        });
        Ok((bytes, Box::pin(pieces)))
    }

    /// Writes a file of a volume, in the place of the one that was there. It appears when it is whole.
    pub async fn write_volume(
        &self,
        volume: &FunctionVolume,
        path: String,
        mut pieces: Pieces,
        most: u64,
    ) -> Result<(), VolumeTrouble> {
        let _transfer = self.shelf().begin(volume.owner)?;
        let all = &self.shelf().all;
        all.set_size(volume.id, volume.most_bytes());
        let full = |measured: &Measured| measured.fault(volume.most_bytes());
        if let Some(detail) = full(&all.measure(key(volume)).await?) {
            return Err(VolumeError::Full { detail }.into());
        }
        let (upload, file) = self.opened(volume, move |opened| opened.write(&path)).await?;
        let (mut file, mut written) = (tokio::fs::File::from_std(file), 0u64);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(VolumeTrouble::BrokenOff)?;
            let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            written = written.saturating_add(bytes);
            if written > most {
                return Err(VolumeTrouble::TooLarge { most });
            }
            let counted = match all.add(volume.id, bytes) {
                Some(counted) => counted,
                None => all.measure(key(volume)).await?,
            };
            if let Some(detail) = full(&counted) {
                all.changed(volume.id);
                return Err(VolumeError::Full { detail }.into());
            }
            file.write_all(&piece).await.map_err(VolumeError::Io)?;
        }
        file.flush().await.map_err(VolumeError::Io)?;
        file.sync_all().await.map_err(VolumeError::Io)?;
        let finished = blocking(move || upload.finish()).await;
        all.settled(volume.id);
        finished
    }

    /// Removes a file or a folder of a volume.
    pub async fn remove_from_volume(&self, volume: &FunctionVolume, path: String) -> Result<(), VolumeTrouble> {
        let removed = self.opened(volume, move |opened| opened.remove(&path)).await;
        self.shelf().all.changed(volume.id);
        removed
    }

    /// The volumes of a version, in their order, known to the engine by their sizes of now.
    pub(crate) async fn volumes_of(&self, owner: UserId, spec: &Spec) -> Result<Vec<VolumeKey>, ServiceError> {
        if spec.volumes.is_empty() {
            return Ok(Vec::new());
        }
        let there = self.database().volumes_of(owner).await?;
        let found = spec.volumes.iter().map(|wanted| {
            let found = there.iter().find(|volume| volume.name == wanted.volume);
            let found = found.ok_or_else(|| ServiceError::VolumeMissing { volume: wanted.volume.clone() })?;
            self.shelf().all.set_size(found.id, found.most_bytes());
            Ok(key(found))
        });
        found.collect()
    }

    /// Takes over how large the volumes of a person may be, where some of them are known.
    pub(crate) async fn resize_volumes(&self, owner: UserId) -> Result<(), ServiceError> {
        for volume in self.database().volumes_of(owner).await? {
            self.shelf().all.set_size(volume.id, volume.most_bytes());
        }
        Ok(())
    }

    /// Tries again what a dead server, or a disk that was away, has left.
    pub(crate) async fn clear_removed_volumes(&self) -> Result<(), StorageError> {
        for removed in self.database().removed_function_volumes().await? {
            self.clear(removed).await;
        }
        Ok(())
    }

    /// The files first: whatever happens in between, the row tells that there is something to do.
    async fn clear(&self, removed: RemovedVolume) {
        let (all, which) = (Arc::clone(&self.shelf().all), VolumeKey { owner: removed.owner, volume: removed.id });
        let cleared = match blocking(move || all.remove(which)).await {
            Ok(()) => self.database().forget_function_volume(removed.id).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = cleared {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, volume = %removed.id, "the files of a removed volume go later");
        }
    }
}

/// Blocks.
fn piece(mut file: std::fs::File, left: u64) -> std::io::Result<(std::fs::File, Bytes)> {
    let mut piece = vec![0; usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
    let read = file.read(&mut piece)?;
    if read == 0 {
        // It has become shorter since it was announced.
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    piece.truncate(read);
    Ok((file, piece.into()))
}

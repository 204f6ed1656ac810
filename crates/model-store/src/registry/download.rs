//! Brings one blob into the store: in parts side by side, from where an earlier try stopped, summed up as it comes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::try_join;
use futures_util::stream::FuturesUnordered;
use sha2::{Digest as _, Sha256};
use stoa_egress::CappedBody;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::repository::{Content, Repository};
use super::{RegistryError, RegistryOptions};
use crate::store::partial::Partial;
use crate::store::{Digest, Layer, Store, StoreError, blocking, blocking_among};

/// What is written at a time, unless it comes slowly.
const WRITE_BYTES: usize = 1024 * 1024;
const WRITE_AFTER: Duration = Duration::from_millis(250);
/// What is summed up at a time.
const SUM_BYTES: u64 = 8 * 1024 * 1024;

/// One blob on its way.
pub(super) struct Download<'a> {
    pub(super) repository: &'a Repository,
    pub(super) store: &'a Arc<Store>,
    pub(super) options: &'a RegistryOptions,
    pub(super) connections: &'a Semaphore,
    pub(super) layer: &'a Layer,
    /// Bytes that are there; never goes back.
    pub(super) completed: &'a AtomicU64,
}

enum Taken {
    There,
    Mine(Partial),
    /// Somebody else brings it, and has come so far.
    Elsewhere(u64),
}

impl Download<'_> {
    /// Returns when the whole blob is in the store and is what its name says.
    pub(super) async fn run(&self) -> Result<(), RegistryError> {
        loop {
            let partial = match self.take().await? {
                Taken::There => break,
                Taken::Elsewhere(completed) => {
                    self.completed.fetch_max(completed, Ordering::Relaxed);
                    sleep(self.options.look_every).await;
                    continue;
                }
                Taken::Mine(partial) => Arc::new(partial),
            };
            self.completed.fetch_max(partial.reach().completed, Ordering::Relaxed);
            let actual = self.bring(&partial).await?;
            if actual == self.layer.digest {
                let blob = self.store.blob_path(&actual);
                blocking(move || partial.finish(&blob)).await?;
                break;
            }
            partial.discard();
            // What was there before may have been spoilt by a loss of power; what has just come was not.
            if !partial.resumed() {
                let (host, expected) = (self.repository.host().to_owned(), self.layer.digest.clone());
                return Err(RegistryError::DigestMismatch { host, expected, actual });
            }
            tracing::warn!(digest = %self.layer.digest, "what was there of a blob was spoilt; it is brought anew");
        }
        self.completed.fetch_max(self.layer.size, Ordering::Relaxed);
        Ok(())
    }

    async fn take(&self) -> Result<Taken, RegistryError> {
        let (store, digest, size) = (Arc::clone(self.store), self.layer.digest.clone(), self.layer.size);
        let part_bytes = self.options.part_bytes(size);
        let taken = blocking(move || {
            let is_there = || store.blob_size(&digest) == Some(size);
            if is_there() {
                Partial::clear(&store, &digest)?;
                return Ok(Taken::There);
            }
            let Some(partial) = Partial::open(&store, &digest, size, part_bytes)? else {
                return Ok(Taken::Elsewhere(Partial::completed_elsewhere(&store, &digest, size)));
            };
            // Whoever held it may have ended a moment ago.
            if is_there() {
                partial.discard();
                return Ok(Taken::There);
            }
            Ok(Taken::Mine(partial))
        });
        Ok(taken.await?)
    }

    /// Brings what is missing; answers the digest of the whole.
    async fn bring(&self, partial: &Arc<Partial>) -> Result<Digest, RegistryError> {
        let jobs = TaskTracker::new();
        let bringing = try_join(self.fetch(partial), self.sum(partial, &jobs));
        let brought = tokio::select! {
            brought = bringing => brought.map(|((), digest)| digest),
            error = self.save(partial, &jobs) => Err(error.into()),
        };
        // Nobody is at it any more when this returns.
        jobs.close();
        jobs.wait().await;
        brought
    }

    /// Sums up what is there from the beginning, close behind those who write it, while it is still in memory.
    async fn sum(&self, partial: &Arc<Partial>, jobs: &TaskTracker) -> Result<Digest, RegistryError> {
        let mut reach = partial.watch();
        let mut hasher = Sha256::new();
        let mut position = 0;
        while position < self.layer.size {
            let frontier = reach.borrow_and_update().frontier;
            if frontier == position {
                // The sender lives in `partial`.
                let _ = reach.changed().await;
                continue;
            }
            let end = frontier.min(position + SUM_BYTES);
            let partial = Arc::clone(partial);
            hasher = blocking_among(jobs, move || {
                let mut buffer = vec![0; WRITE_BYTES];
                while position < end {
                    let length = usize::try_from(end - position).unwrap_or(WRITE_BYTES).min(WRITE_BYTES);
                    let piece = &mut buffer[..length];
                    partial.read(piece, position)?;
                    hasher.update(piece);
                    position += length as u64;
                }
                Ok(hasher)
            })
            .await?;
            position = end;
        }
        Ok(Digest::from_sum(hasher.finalize().into()))
    }

    /// Makes it durable now and then how far it has come. Returns only when that fails.
    async fn save(&self, partial: &Arc<Partial>, jobs: &TaskTracker) -> StoreError {
        let mut saved = partial.reach().completed;
        loop {
            sleep(self.options.save_every).await;
            let completed = partial.reach().completed;
            if completed == saved {
                continue;
            }
            let partial = Arc::clone(partial);
            if let Err(error) = blocking_among(jobs, move || partial.save()).await {
                return error;
            }
            saved = completed;
        }
    }

    async fn fetch(&self, partial: &Arc<Partial>) -> Result<(), RegistryError> {
        let parts = Transfer { download: self, partial, jobs: TaskTracker::new() };
        let fetched = parts.parts().await;
        match parts.settle(fetched).await {
            Err(error @ RegistryError::NoRanges { .. }) => {
                tracing::debug!(error = %error, digest = %self.layer.digest, "a single stream takes over");
            }
            fetched => return fetched,
        }
        let stream = Transfer { download: self, partial, jobs: TaskTracker::new() };
        let fetched = stream.stream().await;
        stream.settle(fetched).await
    }

    /// Waits before the next try, or gives up.
    async fn pause(&self, tries: &mut u32, advanced: bool, error: RegistryError) -> Result<(), RegistryError> {
        if advanced {
            *tries = 0;
        }
        *tries += 1;
        if !error.may_pass() || *tries >= self.options.tries {
            return Err(error);
        }
        tracing::debug!(error = &error as &dyn std::error::Error, digest = %self.layer.digest, "a part is tried again");
        sleep(self.options.pause_after(*tries)).await;
        Ok(())
    }
}

/// The connections that bring one blob, and what they write.
struct Transfer<'a> {
    download: &'a Download<'a>,
    partial: &'a Arc<Partial>,
    jobs: TaskTracker,
}

impl Transfer<'_> {
    /// Brings all parts, one alone at first: its answer tells whether the server knows parts at all.
    async fn parts(&self) -> Result<(), RegistryError> {
        let map = self.partial.map().clone();
        let mut waiting = (0..map.parts()).filter(|part| !map.missing(*part).is_empty());
        let (mut proven, proof) = (false, Notify::new());
        let mut running = FuturesUnordered::new();
        running.extend(waiting.next().map(|part| self.part(part, &proof)));
        while !running.is_empty() {
            tokio::select! {
                Some(ended) = running.next() => {
                    ended?;
                    proven = true;
                }
                () = proof.notified(), if !proven => proven = true,
            }
            while proven && running.len() < self.download.options.connections.max(1) {
                let Some(part) = waiting.next() else { break };
                running.push(self.part(part, &proof));
            }
        }
        Ok(())
    }

    async fn part(&self, part: usize, proof: &Notify) -> Result<(), RegistryError> {
        let missing = || self.partial.map().missing(part);
        let mut tries = 0;
        loop {
            let range = missing();
            if range.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.part_once(&range, proof).await {
                self.download.pause(&mut tries, missing().start > range.start, error).await?;
            }
        }
    }

    async fn part_once(&self, range: &Range<u64>, proof: &Notify) -> Result<(), RegistryError> {
        let Download { repository, layer, .. } = self.download;
        let whole = *range == (0..layer.size);
        let _connection = self.download.connections.acquire().await;
        match repository.blob(&layer.digest, layer.size, Some(range).filter(|_| !whole)).await? {
            Content::Part(body) => {
                proof.notify_one();
                self.receive(range, body).await
            }
            Content::Whole(body) if whole => self.receive(range, body).await,
            Content::Whole(_) => Err(repository.no_ranges()),
        }
    }

    /// Brings the blob as one stream, each time from its beginning.
    async fn stream(&self) -> Result<(), RegistryError> {
        let whole = 0..self.download.layer.size;
        let mut tries = 0;
        loop {
            let before = self.partial.reach();
            if before.completed == whole.end {
                return Ok(());
            }
            if let Err(error) = self.part_once(&whole, &Notify::new()).await {
                let advanced = self.partial.reach().completed > before.completed;
                self.download.pause(&mut tries, advanced, error).await?;
            }
        }
    }

    /// Writes a body that holds exactly `range`.
    async fn receive(&self, range: &Range<u64>, mut body: CappedBody) -> Result<(), RegistryError> {
        let Download { repository, layer, .. } = self.download;
        let mut position = range.start;
        let mut pieces = Vec::new();
        let mut held = 0;
        let mut written_at = Instant::now();
        let ended = loop {
            match body.chunk().await {
                Ok(Some(bytes)) => {
                    held += bytes.len();
                    pieces.push(bytes);
                    if position + held as u64 > range.end {
                        return Err(RegistryError::Long {
                            host: repository.host().to_owned(),
                            digest: layer.digest.clone(),
                        });
                    }
                    if held >= WRITE_BYTES || written_at.elapsed() >= WRITE_AFTER {
                        self.write(position, std::mem::take(&mut pieces)).await?;
                        position += std::mem::take(&mut held) as u64;
                        written_at = Instant::now();
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(repository.blob_error(&layer.digest, repository.egress_error(error))),
            }
        };
        self.write(position, pieces).await?;
        position += held as u64;
        ended?;
        if position < range.end {
            return Err(RegistryError::Short { host: repository.host().to_owned() });
        }
        Ok(())
    }

    async fn write(&self, offset: u64, pieces: Vec<Bytes>) -> Result<(), RegistryError> {
        let partial = Arc::clone(self.partial);
        blocking_among(&self.jobs, move || partial.write(offset, &pieces)).await?;
        self.download.completed.fetch_max(self.partial.reach().completed, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for what is still being written: it must not land in what comes after.
    async fn settle<T>(&self, ended: T) -> T {
        self.jobs.close();
        self.jobs.wait().await;
        ended
    }
}

//! Volumes: folders that functions of one owner share, and what their owner puts into them and takes out of them from outside.
//!
//! A volume lies at `OWNER/VOLUME` below one folder of the server, both by their ids. Where the server is root, all volumes of an
//! owner belong to one user, who is nobody else; the group of the owner's folder says who. What is in a volume is foreign:
//! everything here goes by descriptors, from the top folder down, and follows no link.

mod files;
mod gauge;
mod nameless;

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use stoa_functions::VolumeKey;
use stoa_model::FunctionVolumeId;
use tokio::sync::Semaphore;

use crate::tree::{self, RemovalError, TreeError};
use crate::users::USERS;

use gauge::Gauge;
use nameless::Ground;

pub use files::{Item, ItemKind, Listing, Upload, Volume};
pub use gauge::Measured;

/// Users of volumes come after those of instances.
const FIRST_USER: u32 = 2_000_000 + USERS;

/// Volumes that are measured at the same time; others wait.
const MEASURED_AT_ONCE: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error("the volume is not there")]
    Missing,
    #[error("there is nothing at `{path}`")]
    NotFound { path: String },
    #[error("`{path}` is no file that can be read")]
    NotAFile { path: String },
    #[error("`{path}` is a folder")]
    Folder { path: String },
    #[error("the volume is full: {detail}")]
    Full { detail: String },
    #[error("functions put something there faster than it can be removed")]
    Busy,
    #[error("the volume cannot be reached")]
    Io(#[from] io::Error),
}

impl From<Errno> for VolumeError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<RemovalError> for VolumeError {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Busy => Self::Busy,
            RemovalError::Io(error) => Self::Io(error),
        }
    }
}

/// All volumes that this server reaches. Several servers may share the folder.
#[derive(Debug)]
pub struct Volumes {
    folder: PathBuf,
    gauges: Mutex<HashMap<FunctionVolumeId, Arc<Gauge>>>,
    turns: Semaphore,
}

impl Volumes {
    /// Touches nothing yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, gauges: Mutex::default(), turns: Semaphore::new(MEASURED_AT_ONCE) }
    }

    /// Makes the folder of a volume. Again is nothing. Blocks.
    pub fn create(&self, key: VolumeKey) -> Result<(), VolumeError> {
        // Nobody but the server goes in here.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let top = self.top()?;
        let (owner, name) = (key.owner.to_string(), key.volume.to_string());
        make_folder(&top, &owner)?;
        let owner = tree::open_folder(&top, owner.as_str())?;
        let user = user_of(&top, &owner)?;
        make_folder(&owner, &name)?;
        if let Some(user) = user {
            given(&tree::open_folder(&owner, name.as_str())?, user)?;
        }
        Ok(())
    }

    /// Opens a volume. Blocks.
    pub fn open(&self, key: VolumeKey) -> Result<Volume, VolumeError> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => VolumeError::Missing,
            _ => VolumeError::Io(error),
        };
        let top = self.top().map_err(missing)?;
        let owner = tree::open_folder(&top, key.owner.to_string()).map_err(missing)?;
        let name = name_of(&key.volume.to_string())?;
        let folder = tree::open_anyway(owner.as_fd(), &name).map_err(missing)?;
        let user = user_of(&top, &owner)?;
        if let Some(user) = user {
            given(&folder, user)?;
        }
        Ok(Volume { folder, user })
    }

    /// Removes a volume with all that is in it. Again is nothing. Blocks.
    pub fn remove(&self, key: VolumeKey) -> Result<(), VolumeError> {
        self.forget(key.volume);
        let owner = self.top().and_then(|top| tree::open_folder(&top, key.owner.to_string()));
        match owner {
            Ok(owner) => Ok(tree::remove(&owner, &name_of(&key.volume.to_string())?)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says how much a volume may take, from now on. Without this it is not known to the engine.
    pub fn set_size(&self, volume: FunctionVolumeId, most_bytes: u64) {
        self.gauges().entry(volume).or_default().set_size(most_bytes);
    }

    pub(crate) fn most_bytes(&self, key: VolumeKey) -> Option<u64> {
        self.gauges().get(&key.volume).map(|gauge| gauge.size())
    }

    /// What a volume takes; as it was a moment ago, where that was just measured.
    pub async fn measure(self: &Arc<Self>, key: VolumeKey) -> Result<Measured, VolumeError> {
        let gauge = Arc::clone(self.gauges().get(&key.volume).ok_or(VolumeError::Missing)?);
        let all = Arc::clone(self);
        gauge.measure(&self.turns, move || all.open(key)).await
    }

    /// What processes keep of these volumes in files without a name. Blocks.
    pub(crate) fn nameless(&self, keys: &[VolumeKey], processes: &[u32]) -> Result<u64, VolumeError> {
        let grounds = keys.iter().map(|key| Ok(Ground::of(&self.open(*key)?)?));
        Ok(nameless::bytes(processes, &grounds.collect::<Result<Vec<_>, VolumeError>>()?))
    }

    /// Counts what is just being put, and says what there is then. Nothing where that has just become old.
    pub fn add(&self, volume: FunctionVolumeId, bytes: u64) -> Option<Measured> {
        self.gauges().get(&volume)?.add(bytes)
    }

    /// After something was put that was counted: it is measured anew where that is soon done.
    pub fn settled(&self, volume: FunctionVolumeId) {
        if let Some(gauge) = self.gauges().get(&volume) {
            gauge.forget_what_was_cheap();
        }
    }

    /// After something was removed: what was measured before counts no more.
    pub fn changed(&self, volume: FunctionVolumeId) {
        if let Some(gauge) = self.gauges().get(&volume) {
            gauge.forget();
        }
    }

    fn forget(&self, volume: FunctionVolumeId) {
        self.gauges().remove(&volume);
    }

    fn gauges(&self) -> MutexGuard<'_, HashMap<FunctionVolumeId, Arc<Gauge>>> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its path is the operator's, links in it included.
    fn top(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.folder, flags, Mode::empty())?)
    }
}

fn name_of(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::ErrorKind::InvalidFilename.into())
}

fn make_folder(parent: &OwnedFd, name: &str) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Also what a server that was no root has left.
fn given(folder: &OwnedFd, user: u32) -> Result<(), VolumeError> {
    tree::give(folder, user).map_err(|error| match error {
        TreeError::Io(error) => VolumeError::Io(error),
        error => VolumeError::Io(io::Error::other(error)),
    })
}

/// Who the volumes of an owner belong to: the group of the owner's folder, which is root's itself. None where this process is
/// no root, and all are its own. An owner that has none yet gets the lowest that nobody has.
fn user_of(top: &OwnedFd, owner: &OwnedFd) -> io::Result<Option<u32>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = FIRST_USER..FIRST_USER + USERS;
    let group = |folder: &OwnedFd| rustix::fs::fstat(folder).map(|status| status.st_gid);
    if users.contains(&group(owner)?) {
        return Ok(Some(group(owner)?));
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::openat(top, ".lock", flags, Mode::RUSR | Mode::WUSR)?;
    // Of servers that share the folder, one after the other.
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    let there = group(owner)?;
    if users.contains(&there) {
        return Ok(Some(there));
    }
    let mut taken = std::collections::HashSet::new();
    for entry in Dir::read_from(top)? {
        let entry = entry?;
        match rustix::fs::statat(top, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => drop(taken.insert(status.st_gid)),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let free = users.into_iter().find(|user| !taken.contains(user));
    let user = free.ok_or_else(|| io::Error::other("there is no user left for the volumes of another owner"))?;
    rustix::fs::fchown(owner, Some(Uid::ROOT), Some(Gid::from_raw(user)))?;
    Ok(Some(user))
}

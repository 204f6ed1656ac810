//! The files of one volume, as their owner sees them from outside.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::{VolumeError, name_of};
use crate::tree;

/// What one look at a folder shows, and what it reads for that at most.
const SHOWN: usize = 1_000;
const READ: usize = 20_000;

/// A volume that was found and opened.
#[derive(Debug)]
pub struct Volume {
    pub(super) folder: OwnedFd,
    pub(super) user: Option<u32>,
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is not UTF-8, what can be shown of it; then it is [`ItemKind::Other`].
    pub name: String,
    pub kind: ItemKind,
    /// Of a file.
    pub bytes: u64,
    pub modified_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    Folder,
    File,
    Link,
    /// A pipe, a socket, a device, or what has no name that can be written.
    Other,
}

/// What is in a folder: folders first, each kind by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub items: Vec<Item>,
    /// Whether there is more than is shown.
    pub more: bool,
}

impl Volume {
    pub(crate) fn user(&self) -> Option<u32> {
        self.user
    }

    /// For mounting alone.
    pub(crate) fn to_mount(&self) -> Result<OwnedFd, VolumeError> {
        Ok(tree::open_within(&self.folder, ".", OFlags::PATH | OFlags::DIRECTORY)?)
    }

    /// Blocks.
    pub fn list(&self, path: &str) -> Result<Listing, VolumeError> {
        let folder = self.folder_at(path)?;
        let (mut items, mut more) = (Vec::new(), false);
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            if [c".", c".."].contains(&entry.file_name()) {
                continue;
            }
            if items.len() == READ {
                more = true;
                break;
            }
            match rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(status) => items.push(item(entry.file_name(), &status)),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let rank = |item: &Item| item.kind != ItemKind::Folder;
        items.sort_by(|one, other| (rank(one), &one.name).cmp(&(rank(other), &other.name)));
        more |= items.len() > SHOWN;
        items.truncate(SHOWN);
        Ok(Listing { items, more })
    }

    /// A file to be read, and its bytes. Blocks.
    pub fn read(&self, path: &str) -> Result<(File, u64), VolumeError> {
        // A pipe would wait for whoever writes to it.
        let opened = tree::open_within(&self.folder, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
        let opened = opened.map_err(|error| match Errno::from_io_error(&error) {
            // A link, or a socket.
            Some(Errno::LOOP | Errno::NXIO) => VolumeError::NotAFile { path: path.to_owned() },
            _ => at(path, error),
        })?;
        let status = rustix::fs::fstat(&opened)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(VolumeError::NotAFile { path: path.to_owned() });
        }
        Ok((opened.into(), u64::try_from(status.st_size).unwrap_or(0)))
    }

    /// Begins to write a file, whose folders are made if they are not there. It takes its place when it is whole. Blocks.
    pub fn write(&self, path: &str) -> Result<(Upload, File), VolumeError> {
        let (above, name) = split(path).ok_or_else(|| VolumeError::Folder { path: path.to_owned() })?;
        for (end, _) in above.match_indices('/').chain((!above.is_empty()).then_some((above.len(), ""))) {
            let folder = above.get(..end).unwrap_or(above);
            self.make_folder(folder)?;
        }
        let parent = self.folder_at(above)?;
        let name = name_of(name)?;
        let is_folder = |status: Stat| FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        if rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_folder) {
            return Err(VolumeError::Folder { path: path.to_owned() });
        }
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let (temporary, file) = temporary(&parent, mode)?;
        let upload = Upload { parent, temporary: Some(temporary), name, path: path.to_owned() };
        // Whatever the mask of this process is.
        rustix::fs::fchmod(&file, mode)?;
        self.give(&file)?;
        Ok((upload, file.into()))
    }

    /// Removes a file, or a folder with all that is in it. A link goes itself. Blocks.
    pub fn remove(&self, path: &str) -> Result<(), VolumeError> {
        let nothing = || VolumeError::NotFound { path: path.to_owned() };
        let (above, name) = split(path).ok_or_else(nothing)?;
        let (parent, name) = (self.folder_at(above)?, name_of(name)?);
        match rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(tree::remove(&parent, &name)?),
            Err(Errno::NOENT) => Err(nothing()),
            Err(error) => Err(error.into()),
        }
    }

    fn folder_at(&self, path: &str) -> Result<OwnedFd, VolumeError> {
        let within = if path.is_empty() { "." } else { path };
        tree::open_within(&self.folder, within, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| at(path, error))
    }

    fn make_folder(&self, path: &str) -> Result<(), VolumeError> {
        let Some((above, name)) = split(path) else { return Ok(()) };
        let parent = self.folder_at(above)?;
        let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        match rustix::fs::mkdirat(&parent, name, mode) {
            Ok(()) => self.give(&tree::open_folder(&parent, name)?),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn give(&self, made: impl AsFd) -> Result<(), VolumeError> {
        if let Some(user) = self.user {
            rustix::fs::fchown(made, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)))?;
        }
        Ok(())
    }
}

/// A file that is being written, and goes if it is not finished.
#[derive(Debug)]
pub struct Upload {
    parent: OwnedFd,
    temporary: Option<CString>,
    name: CString,
    path: String,
}

impl Upload {
    /// Puts it in its place, and in that of a file or link that was there. Blocks.
    pub fn finish(mut self) -> Result<(), VolumeError> {
        let Some(temporary) = self.temporary.take() else { return Ok(()) };
        rustix::fs::renameat(&self.parent, &temporary, &self.parent, &self.name).map_err(|error| {
            self.temporary = Some(temporary);
            match error {
                Errno::ISDIR => VolumeError::Folder { path: self.path.clone() },
                // Functions may have taken away either.
                error => at(&self.path, error.into()),
            }
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // It may be gone already, and nothing hangs on it.
            let _ = rustix::fs::unlinkat(&self.parent, temporary, AtFlags::empty());
        }
    }
}

/// A new file, of a name that nobody has.
fn temporary(parent: &OwnedFd, mode: Mode) -> io::Result<(CString, OwnedFd)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (process, mut number) = (std::process::id(), 0);
    loop {
        let name = name_of(&format!(".upload-{process}-{number}"))?;
        match rustix::fs::openat(parent, &name, flags, mode) {
            Ok(file) => return Ok((name, file)),
            Err(Errno::EXIST) if number < MOST_TEMPORARY => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

const MOST_TEMPORARY: u32 = 1_000;

/// The folder of a path, and the name in it; nothing for the top folder.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').unwrap_or(("", path)))
}

/// Links on the way are as good as nothing.
fn at(path: &str, error: io::Error) -> VolumeError {
    let nothing = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NAMETOOLONG];
    match Errno::from_io_error(&error) {
        Some(errno) if nothing.contains(&errno) => VolumeError::NotFound { path: path.to_owned() },
        _ => VolumeError::Io(error),
    }
}

fn item(name: &CStr, status: &Stat) -> Item {
    let kind = match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => ItemKind::Folder,
        FileType::RegularFile => ItemKind::File,
        FileType::Symlink => ItemKind::Link,
        _ => ItemKind::Other,
    };
    let bytes = if kind == ItemKind::File { u64::try_from(status.st_size).unwrap_or(0) } else { 0 };
    let modified_ms = status
        .st_mtime
        .saturating_mul(1_000)
        .saturating_add(i64::try_from(status.st_mtime_nsec).unwrap_or(0) / 1_000_000);
    match name.to_str() {
        Ok(name) => Item { name: name.to_owned(), kind, bytes, modified_ms },
        Err(_) => Item { name: name.to_string_lossy().into_owned(), kind: ItemKind::Other, bytes: 0, modified_ms },
    }
}

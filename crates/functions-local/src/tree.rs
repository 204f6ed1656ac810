//! Folders that foreign code has filled, read without being led out of them: by descriptors, never by following a link.

mod removal;

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};
use rustix::io::Errno;

pub(crate) use removal::{RemovalError, open_anyway, remove};

/// Folders within folders. One descriptor each is open while the lowest is read.
const MAX_DEPTH: usize = 128;

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("the folder cannot be read")]
    Io(#[from] io::Error),
    #[error("there are folders more than {MAX_DEPTH} deep")]
    Deep,
    #[error("there are more than {most} files and folders")]
    Entries { most: u64 },
    #[error("there are more than {most} bytes")]
    Bytes { most: u64 },
    #[error("the link {path} does not lead to anything within")]
    Link { path: String },
    #[error("{path} is neither a file nor a folder nor a link")]
    Kind { path: String },
    #[error("a name is not UTF-8: {path}")]
    Name { path: String },
}

#[derive(Clone, Copy, Debug)]
pub struct TreeLimits {
    pub entries: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the folder, with `/` between names.
    pub path: String,
    pub kind: EntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Folder,
    File {
        bytes: u64,
        executable: bool,
    },
    /// To something that is within the folder.
    Link {
        target: String,
    },
}

/// What a folder held that nobody writes to any more.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    entries: Vec<Entry>,
}

impl Tree {
    /// Reads names, not contents. Blocks. A link that leads out, or to nothing, is an error, and so is what is too much.
    pub fn read(folder: &Path, limits: TreeLimits) -> Result<Self, TreeError> {
        let root = open_folder(rustix::fs::CWD, folder)?;
        let (mut entries, mut bytes) = (Vec::new(), 0u64);
        walk(&root, &mut |step| {
            let entry = step.entry(&root)?;
            if let EntryKind::File { bytes: more, .. } = entry.kind {
                bytes = bytes.saturating_add(more);
            }
            if bytes > limits.bytes {
                return Err(TreeError::Bytes { most: limits.bytes });
            }
            if entries.len() as u64 >= limits.entries {
                return Err(TreeError::Entries { most: limits.entries });
            }
            entries.push(entry);
            Ok(())
        })?;
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { root, entries })
    }

    /// By their paths; a folder comes before what is in it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A file of the tree, by its path. Nothing on the way is a link.
    pub fn open(&self, path: &str) -> io::Result<File> {
        Ok(open_within(&self.root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?.into())
    }
}

/// Opens what is at a path within a folder, with no link at its end or on the way.
pub(crate) fn open_within(root: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let mut tries = 0;
    loop {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve) {
            // Somebody moved folders about just now.
            Err(Errno::AGAIN) if tries < TRIES => tries += 1,
            opened => return Ok(opened?),
        }
    }
}

const TRIES: u32 = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) entries: u64,
    /// On the disk.
    pub(crate) bytes: u64,
}

/// What a folder takes, also while it is written to. A file counts by each of its names.
pub(crate) fn usage(folder: &OwnedFd, most_entries: u64) -> Result<Usage, TreeError> {
    let mut usage = Usage::default();
    walk(folder, &mut |step| {
        if usage.entries >= most_entries {
            return Err(TreeError::Entries { most: most_entries });
        }
        usage.entries += 1;
        // In units of 512 bytes, whatever the disk's are.
        usage.bytes = usage.bytes.saturating_add(u64::try_from(step.status.st_blocks).unwrap_or(0) * 512);
        Ok(())
    })?;
    Ok(usage)
}

/// Gives a folder and what is in it to a user. What the user has already is taken to be so throughout.
pub(crate) fn give(folder: &OwnedFd, user: u32) -> Result<(), TreeError> {
    if rustix::fs::fstat(folder).map_err(io::Error::from)?.st_uid == user {
        return Ok(());
    }
    let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
    walk(folder, &mut |step| {
        let given = rustix::fs::chownat(step.parent, step.name, user, group, AtFlags::SYMLINK_NOFOLLOW);
        given.map_err(|error| io::Error::from(error).into())
    })?;
    // Last, as it says that the rest is done.
    Ok(rustix::fs::fchown(folder, user, group).map_err(io::Error::from)?)
}

/// Removes a folder with all that foreign code has left in it. Blocks.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = CString::new(name.as_bytes())?;
    remove(open_folder(rustix::fs::CWD, parent)?, &name).map_err(|error| match error {
        RemovalError::Io(error) => error,
        RemovalError::Busy => io::Error::other(error),
    })
}

/// To be read through, and for nothing in its path to be followed.
pub(crate) fn open_folder(parent: impl AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, path, flags, Mode::empty())?)
}

struct Step<'s> {
    parent: BorrowedFd<'s>,
    name: &'s CStr,
    /// Of the parent, from the root, with a `/` behind where it is not the root itself.
    above: &'s [u8],
    status: &'s Stat,
}

impl Step<'_> {
    fn path(&self) -> Result<String, TreeError> {
        let bytes = [self.above, self.name.to_bytes()].concat();
        String::from_utf8(bytes).map_err(|error| TreeError::Name { path: error.to_string() })
    }

    fn entry(&self, root: &OwnedFd) -> Result<Entry, TreeError> {
        let path = self.path()?;
        let kind = match FileType::from_raw_mode(self.status.st_mode) {
            FileType::Directory => EntryKind::Folder,
            FileType::RegularFile => EntryKind::File {
                bytes: u64::try_from(self.status.st_size).unwrap_or(0),
                executable: Mode::from_raw_mode(self.status.st_mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH),
            },
            FileType::Symlink => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                rustix::fs::openat2(root, path.as_str(), flags, Mode::empty(), resolve)
                    .map_err(|_| TreeError::Link { path: path.clone() })?;
                let target = rustix::fs::readlinkat(self.parent, self.name, Vec::new()).map_err(io::Error::from)?;
                let target = target.into_string().map_err(|_| TreeError::Name { path: path.clone() })?;
                EntryKind::Link { target }
            }
            _ => return Err(TreeError::Kind { path }),
        };
        Ok(Entry { path, kind })
    }
}

fn walk(root: &OwnedFd, visit: &mut impl FnMut(Step<'_>) -> Result<(), TreeError>) -> Result<(), TreeError> {
    walk_below(root, &mut Vec::new(), 0, visit)
}

fn walk_below(
    folder: &OwnedFd,
    above: &mut Vec<u8>,
    depth: usize,
    visit: &mut impl FnMut(Step<'_>) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    if depth > MAX_DEPTH {
        return Err(TreeError::Deep);
    }
    for entry in Dir::read_from(folder).map_err(io::Error::from)? {
        let entry = entry.map_err(io::Error::from)?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let status = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            // Whoever still writes may have taken it away.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        visit(Step { parent: folder.as_fd(), name, above, status: &status })?;
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            let inner = match open_folder(folder, name) {
                Ok(inner) => inner,
                // Gone, or something else by now.
                Err(error)
                    if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let length = above.len();
            above.extend_from_slice(name.to_bytes());
            above.push(b'/');
            walk_below(&inner, above, depth + 1, visit)?;
            above.truncate(length);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const PLENTY: TreeLimits = TreeLimits { entries: 100, bytes: 1_000 };

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/file"), "12345").unwrap();
        folder
    }

    #[test]
    fn what_is_there_is_told_and_opened() {
        let folder = folder();
        let program = folder.path().join("a/run");
        std::fs::write(&program, "1").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("b/../b/file", folder.path().join("a/link")).unwrap();
        let tree = Tree::read(folder.path(), PLENTY).unwrap();
        let entry = |path: &str, kind| Entry { path: path.to_owned(), kind };
        let expected = [
            entry("a", EntryKind::Folder),
            entry("a/b", EntryKind::Folder),
            entry("a/b/file", EntryKind::File { bytes: 5, executable: false }),
            entry("a/link", EntryKind::Link { target: "b/../b/file".to_owned() }),
            entry("a/run", EntryKind::File { bytes: 1, executable: true }),
        ];
        assert_eq!(tree.entries(), expected);
        let mut text = String::new();
        tree.open("a/b/file").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "12345");
        for path in ["a/link", "../x", "/etc/passwd", "a/b/../../.."] {
            assert!(tree.open(path).is_err(), "{path}");
        }
    }

    #[test]
    fn links_that_lead_out_or_nowhere_are_refused() {
        for (name, target) in [
            ("absolute", "/etc/passwd"),
            ("above", "../../../../etc/passwd"),
            ("nowhere", "b/missing"),
            ("itself", "itself"),
            // Each looks as if it stayed within.
            ("there", "up/.."),
        ] {
            let folder = folder();
            symlink("..", folder.path().join("a/up")).unwrap();
            symlink(target, folder.path().join("a").join(name)).unwrap();
            let read = Tree::read(folder.path(), PLENTY).map(drop);
            let path = format!("a/{name}");
            assert!(matches!(&read, Err(TreeError::Link { path: named }) if *named == path), "{name}: {read:?}");
        }
    }

    #[test]
    fn too_much_too_deep_and_odd_things_are_refused() {
        let folder = folder();
        assert!(matches!(Tree::read(folder.path(), TreeLimits { bytes: 4, ..PLENTY }), Err(TreeError::Bytes { .. })));
        assert!(matches!(
            Tree::read(folder.path(), TreeLimits { entries: 2, ..PLENTY }),
            Err(TreeError::Entries { .. })
        ));
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert!(matches!(Tree::read(folder.path(), PLENTY), Err(TreeError::Kind { .. })));
        std::fs::remove_file(pipe).unwrap();
        let mut deep = folder.path().to_owned();
        for _ in 0..=MAX_DEPTH {
            deep.push("d");
        }
        std::fs::create_dir_all(&deep).unwrap();
        let plenty = TreeLimits { entries: 1_000, ..PLENTY };
        assert!(matches!(Tree::read(folder.path(), plenty), Err(TreeError::Deep)));
    }

    #[test]
    fn what_a_folder_takes_is_counted_in_blocks() {
        let folder = folder();
        std::fs::write(folder.path().join("large"), vec![1; 1 << 20]).unwrap();
        File::create(folder.path().join("holes")).unwrap().set_len(1 << 30).unwrap();
        let opened = open_folder(rustix::fs::CWD, folder.path()).unwrap();
        let found = usage(&opened, u64::MAX).unwrap();
        assert!(matches!(usage(&opened, 4), Err(TreeError::Entries { most: 4 })));
        assert_eq!(found.entries, 5);
        assert!((1 << 20..3 << 20).contains(&found.bytes), "{found:?}");
    }
}

//! Removes what foreign code has left, however deep it is and whatever it forbids, also while that code goes on.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::open_folder;

/// Folders within folders that are gone through; what lies deeper is brought to the top first. Each takes a descriptor.
const DEPTH: usize = 64;
/// How often a folder is gone through that is not empty afterwards.
const PASSES: u32 = 1_000;
/// Whoever writes on may keep a folder from ever coming to its end.
const LONGEST: Duration = Duration::from_mins(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum RemovalError {
    #[error("something is put there faster than it can be removed")]
    Busy,
    #[error("it cannot be removed")]
    Io(#[from] io::Error),
}

impl From<Errno> for RemovalError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Removes a file, or a folder with all that is in it. A link goes itself, not what it leads to. What is not there is gone.
/// Blocks.
pub(crate) fn remove(parent: impl AsFd, name: &CStr) -> Result<(), RemovalError> {
    let parent = parent.as_fd();
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // POSIX says EPERM of a folder, and Linux EISDIR.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let top = open_anyway(parent, name)?;
    let mut removal = Removal { top: &top, moved: 0, until: Instant::now() + LONGEST };
    for _ in 0..PASSES {
        let deeper = removal.empty(&top, 0)?;
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        if !deeper {
            // Only whoever still writes can have put it there.
            std::thread::yield_now();
        }
    }
    Err(RemovalError::Busy)
}

struct Removal<'r> {
    top: &'r OwnedFd,
    moved: u64,
    until: Instant,
}

impl Removal<'_> {
    /// Says whether something was moved to the top.
    fn empty(&mut self, folder: &OwnedFd, depth: usize) -> Result<bool, RemovalError> {
        let mut any = false;
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            if Instant::now() > self.until {
                return Err(RemovalError::Busy);
            }
            match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
            if depth >= DEPTH {
                self.moved += 1;
                match rustix::fs::renameat(folder, name, self.top, format!(".removed-{}", self.moved)) {
                    Ok(()) => any = true,
                    // Taken, or gone by now: the next pass sees.
                    Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                    Err(error) => return Err(error.into()),
                }
                continue;
            }
            let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
            let inner = match open_anyway(folder.as_fd(), name) {
                Ok(inner) => inner,
                Err(error) if Errno::from_io_error(&error).is_some_and(|errno| gone.contains(&errno)) => continue,
                Err(error) => return Err(error.into()),
            };
            any |= self.empty(&inner, depth + 1)?;
            match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(any)
    }
}

/// To be read and emptied. Where its own user may not, that is changed first; whoever is root may anyhow.
pub(crate) fn open_anyway(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    if !rustix::process::geteuid().is_root() {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
        if !mode.contains(Mode::RWXU) {
            // The one way to change the mode of what is open, and of nothing that has come in its place.
            rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), mode | Mode::RWXU)?;
        }
    }
    open_folder(parent, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn deep_forbidden_and_odd_things_go_and_nothing_beside_them() {
        let house = tempfile::tempdir().unwrap();
        let keep = house.path().join("keep");
        std::fs::write(&keep, "1").unwrap();
        let top = house.path().join("top");
        std::fs::create_dir(&top).unwrap();
        symlink(&keep, top.join("link")).unwrap();
        symlink(house.path(), top.join("folder-link")).unwrap();
        rustix::fs::mkfifoat(CWD, top.join("pipe"), Mode::RUSR).unwrap();
        std::fs::create_dir_all(top.join("closed/inner")).unwrap();
        std::fs::write(top.join("closed/inner/file"), "1").unwrap();
        for path in ["closed/inner", "closed"] {
            std::fs::set_permissions(top.join(path), std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        // Deeper than any path may be long.
        let mut folder = open_folder(CWD, &top).unwrap();
        for _ in 0..3_000 {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = open_folder(&folder, "d").unwrap();
        }
        let parent = open_folder(CWD, house.path()).unwrap();
        remove(&parent, c"top").unwrap();
        assert!(!top.exists() && keep.exists());
        symlink(&keep, &top).unwrap();
        remove(&parent, c"top").unwrap();
        assert!(keep.exists(), "the link went, and not what it leads to");
        remove(&parent, c"top").unwrap();
    }
}

//! The engine's folder, and what a dead predecessor left in it: groups, processes, folders of instances.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use crate::groups::{NAME, remove_now};
use crate::processes;

const PATIENCE: Duration = Duration::from_secs(10);

/// Belongs to this process as long as it lives.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    _lock: File,
}

impl Home {
    /// Takes the folder and clears it. An error of the kind `WouldBlock` means that another engine has it.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive)?;
        let home = Self { folder: folder.to_owned(), _lock: lock };
        home.clear()?;
        for part in [home.instances(), home.process_records()] {
            std::fs::create_dir_all(part)?;
        }
        Ok(home)
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.folder.join("instances")
    }

    fn process_records(&self) -> PathBuf {
        self.folder.join("processes")
    }

    fn group_records(&self) -> PathBuf {
        self.folder.join("groups")
    }

    pub(crate) fn etc(&self) -> PathBuf {
        self.folder.join("etc")
    }

    /// Before the group is made.
    pub(crate) fn record_group(&self, group: &Path) -> io::Result<()> {
        let mut records = OpenOptions::new().create(true).append(true).open(self.group_records())?;
        writeln!(records, "{}", group.display())
    }

    pub(crate) fn record_process(&self, instance: &str, process: u32) -> io::Result<()> {
        let began = processes::began(process).unwrap_or(0);
        std::fs::write(self.process_records().join(instance), format!("{process} {began}"))
    }

    pub(crate) fn forget_process(&self, instance: &str) {
        let _ = std::fs::remove_file(self.process_records().join(instance));
    }

    fn clear(&self) -> io::Result<()> {
        let mut cleared = 0;
        for record in std::fs::read_dir(self.process_records()).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(record.path()).unwrap_or_default();
            let mut numbers = text.split(' ').map(|number| number.parse::<u64>().unwrap_or(0));
            if let (Some(process), Some(began)) = (numbers.next(), numbers.next())
                && let Ok(process) = u32::try_from(process)
                && processes::began(process) == Some(began)
            {
                processes::kill(process.cast_signed());
                cleared += 1;
            }
        }
        for group in std::fs::read_to_string(self.group_records()).unwrap_or_default().lines().map(Path::new) {
            // Nothing but groups of engines, whatever the file says.
            let named = group.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME));
            if named && group.starts_with("/sys/fs/cgroup") && group.exists() {
                remove_tree(group)?;
                cleared += 1;
            }
        }
        for part in [self.instances(), self.process_records(), self.etc()] {
            remove_if_there(std::fs::remove_dir_all(part))?;
        }
        remove_if_there(std::fs::remove_file(self.group_records()))?;
        if cleared > 0 {
            tracing::info!(cleared, "cleared what a dead engine of functions left");
        }
        Ok(())
    }
}

fn remove_if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A group with those in it.
pub(crate) fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    let until = Instant::now() + PATIENCE;
    loop {
        match remove_now(group) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

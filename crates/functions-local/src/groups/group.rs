//! The control groups of one instance.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::find::Limits;
use super::{Groups, Kind};

/// Below one processor, turns are short, so that waiting for the next is, too. The shortest quota is a millisecond.
const SHORT_PERIOD_US: u64 = 20_000;
const PERIOD_US: u64 = 100_000;

/// How long the processes of a group may take to be gone after they were killed.
const REMOVAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Group {
    limits: Option<Limits>,
    freezer: Option<PathBuf>,
}

impl Group {
    pub(super) fn make(groups: &Groups, instance: &str) -> io::Result<Self> {
        let limits = groups.limits.as_ref().map(|limits| Limits {
            kind: limits.kind,
            folders: limits.folders.iter().map(|folder| folder.join(instance)).collect(),
        });
        let group = Self { limits, freezer: groups.freezer.as_ref().map(|freezer| freezer.join(instance)) };
        for folder in group.folders() {
            std::fs::create_dir(folder)?;
        }
        Ok(group)
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        let limits = self.limits.iter().flat_map(|limits| &limits.folders).map(PathBuf::as_path);
        let apart = |freezer: &&Path| {
            self.limits.as_ref().is_none_or(|limits| !limits.folders.iter().any(|folder| folder == freezer))
        };
        limits.chain(self.freezer.as_deref().filter(apart))
    }

    /// Puts a process in, and all that it starts from then on.
    pub(crate) fn join(&self, process: u32) -> io::Result<()> {
        for folder in self.folders() {
            std::fs::write(folder.join("cgroup.procs"), process.to_string())?;
        }
        Ok(())
    }

    pub(crate) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        match self.limit("memory") {
            Some((Kind::V1, folder)) => {
                let memory = folder.join("memory.limit_in_bytes");
                // Where swap is counted, the sum of both is never below: to be raised before, to be lowered after.
                let both = folder.join("memory.memsw.limit_in_bytes");
                if !both.exists() {
                    return std::fs::write(memory, bytes.to_string());
                }
                let raised = std::fs::write(&both, bytes.to_string());
                std::fs::write(memory, bytes.to_string())?;
                raised.or_else(|_| std::fs::write(&both, bytes.to_string()))
            }
            Some((Kind::V2, folder)) => {
                std::fs::write(folder.join("memory.max"), bytes.to_string())?;
                std::fs::write(folder.join("memory.oom.group"), "1")?;
                let swap = folder.join("memory.swap.max");
                if swap.exists() { std::fs::write(swap, "0") } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    pub(crate) fn limit_processes(&self, processes: u32) -> io::Result<()> {
        match self.limit("pids") {
            Some((_, folder)) => std::fs::write(folder.join("pids.max"), processes.to_string()),
            None => Ok(()),
        }
    }

    /// In thousandths of a processor.
    pub(crate) fn limit_cpu(&self, millis: u32) -> io::Result<()> {
        let period = if millis < 1_000 { SHORT_PERIOD_US } else { PERIOD_US };
        let quota = period * u64::from(millis) / 1_000;
        match self.limit("cpu") {
            Some((Kind::V1, folder)) => {
                std::fs::write(folder.join("cpu.cfs_period_us"), period.to_string())?;
                std::fs::write(folder.join("cpu.cfs_quota_us"), quota.to_string())
            }
            Some((Kind::V2, folder)) => std::fs::write(folder.join("cpu.max"), format!("{quota} {period}")),
            None => Ok(()),
        }
    }

    /// All that run in it; none where there is no group.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let text = self.folders().next().map(|folder| std::fs::read_to_string(folder.join("cgroup.procs")));
        text.and_then(Result::ok).iter().flat_map(|text| text.lines()).filter_map(|line| line.parse().ok()).collect()
    }

    /// How many of its processes were killed as memory ran out.
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let Some((kind, folder)) = self.limit("memory") else { return 0 };
        let file = if kind == Kind::V1 { "memory.oom_control" } else { "memory.events" };
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn freezes(&self) -> bool {
        self.freezer.is_some()
    }

    /// Returns when all of it stands still.
    pub(crate) async fn freeze(&self) -> io::Result<()> {
        let Some(freezer) = &self.freezer else { return Ok(()) };
        std::fs::write(freezer.join("cgroup.freeze"), "1")?;
        loop {
            let events = std::fs::read_to_string(freezer.join("cgroup.events"))?;
            if events.lines().any(|line| line == "frozen 1") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn thaw(&self) -> io::Result<()> {
        match &self.freezer {
            Some(freezer) => std::fs::write(freezer.join("cgroup.freeze"), "0"),
            None => Ok(()),
        }
    }

    fn limit(&self, controller: &str) -> Option<(Kind, &Path)> {
        let limits = self.limits.as_ref()?;
        let place = match (limits.kind, controller) {
            (Kind::V2, _) | (Kind::V1, "cpu") => 0,
            (Kind::V1, "memory") => 1,
            (Kind::V1, _) => 2,
        };
        limits.folders.get(place).map(|folder| (limits.kind, folder.as_path()))
    }

    /// Kills what is left in it and waits until it is gone.
    pub(crate) async fn remove(&self) -> io::Result<()> {
        let until = tokio::time::Instant::now() + REMOVAL;
        for folder in self.folders() {
            let mut pause = Duration::from_millis(1);
            loop {
                match remove_now(folder) {
                    Ok(()) => break,
                    Err(error) if tokio::time::Instant::now() > until => return Err(error),
                    Err(_) => {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(Duration::from_millis(50));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Tries once. A group that is not there is removed.
pub(crate) fn remove_now(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(()) => return Ok(()),
        Err(_) => {}
    }
    let kill = folder.join("cgroup.kill");
    if kill.exists() {
        std::fs::write(kill, "1")?;
    } else {
        for process in std::fs::read_to_string(folder.join("cgroup.procs"))?.lines() {
            crate::processes::kill(process.parse().unwrap_or(0));
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders that are no control groups take what is written to them.
    fn group(kind: Kind, folders: &[&str]) -> (tempfile::TempDir, Group) {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<_> = folders.iter().map(|name| root.path().join(name)).collect();
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
        }
        let groups = Groups { limits: Some(Limits { kind, folders }), freezer: None };
        let group = Group::make(&groups, "one").unwrap();
        (root, group)
    }

    #[test]
    fn limits_are_written_as_version_2_reads_them() {
        let (root, group) = group(Kind::V2, &["unified"]);
        group.limit_cpu(50).unwrap();
        group.limit_memory(1 << 27).unwrap();
        group.limit_processes(64).unwrap();
        group.join(1_234).unwrap();
        let read = |name: &str| std::fs::read_to_string(root.path().join("unified/one").join(name)).unwrap();
        assert_eq!(read("cpu.max"), "1000 20000");
        assert_eq!((read("memory.max"), read("memory.oom.group")), ("134217728".to_owned(), "1".to_owned()));
        assert_eq!((read("pids.max"), read("cgroup.procs")), ("64".to_owned(), "1234".to_owned()));
        group.limit_cpu(16_000).unwrap();
        assert_eq!(read("cpu.max"), "1600000 100000");
        assert_eq!(group.killed_for_memory(), 0);
        std::fs::write(root.path().join("unified/one/memory.events"), "low 0\noom 3\noom_kill 2\n").unwrap();
        assert_eq!(group.killed_for_memory(), 2);
    }

    #[test]
    fn limits_are_written_as_version_1_reads_them() {
        let (root, group) = group(Kind::V1, &["cpu", "memory", "pids"]);
        group.limit_cpu(500).unwrap();
        group.limit_memory(1 << 27).unwrap();
        group.limit_processes(64).unwrap();
        let read = |name: &str| std::fs::read_to_string(root.path().join(name)).unwrap();
        assert_eq!(
            (read("cpu/one/cpu.cfs_quota_us"), read("cpu/one/cpu.cfs_period_us")),
            ("10000".into(), "20000".into())
        );
        assert_eq!(read("memory/one/memory.limit_in_bytes"), "134217728");
        assert_eq!(read("pids/one/pids.max"), "64");
    }
}

//! What the machine has: memory, as its kernel and the control groups of this process tell it, and processors.

use std::fs;
use std::path::{Path, PathBuf};

/// Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub memory_total_bytes: u64,
    /// What programs can have without anything going to the disk. Files that are only kept in memory to be at hand count.
    pub memory_available_bytes: u64,
    pub processors: usize,
}

impl Machine {
    /// `None` where the kernel does not tell.
    pub fn look() -> Option<Self> {
        Files { root: PathBuf::from("/") }.machine()
    }
}

/// The files that tell about memory, below `root`.
struct Files {
    root: PathBuf,
}

impl Files {
    fn machine(&self) -> Option<Machine> {
        let information = self.read("proc/meminfo")?;
        let (total, available) = (kibibytes(&information, "MemTotal:")?, kibibytes(&information, "MemAvailable:")?);
        let limit = self.smallest_limit();
        Some(Machine {
            memory_total_bytes: limit.map_or(total, |(limit, _)| limit.min(total)),
            memory_available_bytes: limit.map_or(available, |(_, left)| left.min(available)),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        })
    }

    /// The smallest limit of the control group of this process and of all around it (version 2), and what is left there.
    fn smallest_limit(&self) -> Option<(u64, u64)> {
        let groups = self.read("proc/self/cgroup")?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mount = self.root.join("sys/fs/cgroup");
        let group = mount.join(path.trim_start_matches('/'));
        // In a container the path may be the host's, and then only the mount's own limit can be read.
        group.ancestors().take_while(|directory| directory.starts_with(&mount)).filter_map(limit).min()
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }
}

/// A group's limit, and how much of it nothing holds that could not be let go of at once.
fn limit(group: &Path) -> Option<(u64, u64)> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    let (limit, used) = (number("memory.max")?, number("memory.current")?);
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let files = statistics.lines().find_map(|line| line.strip_prefix("file "))?.trim().parse().unwrap_or(0);
    Some((limit, limit.saturating_sub(used.saturating_sub(files))))
}

fn kibibytes(information: &str, name: &str) -> Option<u64> {
    let line = information.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap()).with("proc/meminfo", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
        }

        fn with(self, path: &str, text: &str) -> Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn memory(&self) -> Option<(u64, u64)> {
            let machine = Files { root: self.0.path().to_owned() }.machine()?;
            Some((machine.memory_total_bytes >> 10, machine.memory_available_bytes >> 10))
        }
    }

    #[test]
    fn without_limits_the_memory_is_the_machine_s() {
        assert_eq!(Fixture::new().memory(), Some((2048, 1024)));
        let unlimited = Fixture::new()
            .with("proc/self/cgroup", "0::/stoa\n")
            .with("sys/fs/cgroup/stoa/memory.max", "max\n")
            .with("sys/fs/cgroup/stoa/memory.current", "0\n");
        assert_eq!(unlimited.memory(), Some((2048, 1024)));
        assert_eq!(Files { root: PathBuf::from("/nowhere") }.machine(), None);
    }

    #[test]
    fn a_container_has_what_its_limit_leaves_and_files_count_as_free() {
        let limited = Fixture::new()
            .with("proc/self/cgroup", "0::/pod/stoa\n")
            .with("sys/fs/cgroup/pod/memory.max", &(1024 << 10).to_string())
            .with("sys/fs/cgroup/pod/memory.current", &(900 << 10).to_string())
            .with("sys/fs/cgroup/pod/memory.stat", &format!("anon {}\nfile {}\n", 300 << 10, 600 << 10))
            .with("sys/fs/cgroup/pod/stoa/memory.max", "max\n");
        assert_eq!(limited.memory(), Some((1024, 724)));
    }

    #[test]
    fn this_machine_tells() {
        let machine = Machine::look().unwrap();
        assert!(machine.memory_available_bytes <= machine.memory_total_bytes && machine.processors >= 1);
    }
}

//! How much memory there is: what the machine has, and what the control groups of this process leave of that.
//!
//! The files that tell it stay open, so that a worker can read them again after it has locked itself in.

mod bound;
mod contexts;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub use bound::{MemoryBound, NoMemoryBound};
pub use contexts::{CONTEXT_BYTES, reserved_tokens, slots};

/// More than these files ever hold in the lines that count.
const READ_BYTES: usize = 8 * 1024;

#[derive(Debug)]
pub struct Memory {
    machine: Option<File>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    limit: File,
    usage: File,
    /// What of the usage are copies of files, which the kernel drops when memory is needed.
    statistics: Option<File>,
}

/// Memory of a process in use, as its kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Copies of files, such as the part of the weights that has been read.
    pub file_bytes: u64,
    pub own_bytes: u64,
}

impl InUse {
    /// `None` when there is no such process.
    pub fn by(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
        };
        Some(Self { file_bytes: field("RssFile:")?, own_bytes: field("RssAnon:")? + field("RssShmem:")? })
    }

    pub const fn bytes(self) -> u64 {
        self.file_bytes + self.own_bytes
    }
}

/// Where a version of control groups keeps its numbers.
struct Version {
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
}

const UNIFIED: Version = Version { mount: "sys/fs/cgroup", limit: "memory.max", usage: "memory.current" };
const LEGACY: Version =
    Version { mount: "sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes" };

impl Memory {
    pub fn of_this_process() -> Self {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Self {
        let lines = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let groups = lines.lines().flat_map(|line| groups(root, line)).collect();
        Self { machine: File::open(root.join("proc/meminfo")).ok(), groups }
    }

    /// Bytes that may be used at most; `None` where the system does not tell.
    pub fn total_bytes(&self) -> Option<u64> {
        let limits = self.groups.iter().filter_map(|group| number(&group.limit));
        self.machine("MemTotal:").into_iter().chain(limits).min()
    }

    /// Bytes that are free, or free at once when they are needed; `None` where the system does not tell.
    pub fn available_bytes(&self) -> Option<u64> {
        self.machine("MemAvailable:").into_iter().chain(self.groups.iter().filter_map(Group::available_bytes)).min()
    }

    fn machine(&self, field: &str) -> Option<u64> {
        let text = read(self.machine.as_ref()?)?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
    }
}

impl Group {
    fn available_bytes(&self) -> Option<u64> {
        let used = number(&self.usage)?.saturating_sub(self.cached_bytes());
        Some(number(&self.limit)?.saturating_sub(used))
    }

    fn cached_bytes(&self) -> u64 {
        let text = self.statistics.as_ref().and_then(read).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.trim().parse::<u64>().ok()
        };
        // Of version 1, those that begin with `total_` count the groups inside as well, as the usage does.
        let both = |active, inactive| Some(field(active)? + field(inactive)?);
        both("total_active_file", "total_inactive_file").or_else(|| both("active_file", "inactive_file")).unwrap_or(0)
    }
}

/// The group that a line of `/proc/self/cgroup` names, and those around it, as far as they have limits.
fn groups(root: &Path, line: &str) -> Vec<Group> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return Vec::new() };
    let version = match controllers {
        "" => UNIFIED,
        names if names.split(',').any(|name| name == "memory") => LEGACY,
        _ => return Vec::new(),
    };
    let mount: PathBuf = root.join(version.mount);
    // In a container the path may be the host's, and then only the mount's own limit can be read.
    mount
        .join(path.trim_start_matches('/'))
        .ancestors()
        .take_while(|directory| directory.starts_with(&mount))
        .filter_map(|directory| {
            let open = |name| File::open(directory.join(name)).ok();
            Some(Group { limit: open(version.limit)?, usage: open(version.usage)?, statistics: open("memory.stat") })
        })
        .collect()
}

/// The whole file from its beginning, however often it was read before.
fn read(file: &File) -> Option<String> {
    let mut bytes = vec![0; READ_BYTES];
    let mut length = 0;
    loop {
        match file.read_at(bytes.get_mut(length..)?, u64::try_from(length).ok()?).ok()? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

/// `None` where the file says `max`.
fn number(file: &File) -> Option<u64> {
    read(file)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn with(self, path: &str, text: &str) -> Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn memory(&self) -> Memory {
            Memory::below(self.0.path())
        }
    }

    const MEMINFO: &str = "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:    8 kB\n";

    #[test]
    fn the_tightest_group_of_version_2_counts_and_copies_of_files_do_not() {
        let machine = Fixture::new();
        assert_eq!(machine.memory().available_bytes(), None);
        let machine = machine.with("proc/meminfo", MEMINFO);
        assert_eq!((machine.memory().total_bytes(), machine.memory().available_bytes()), (Some(9_216), Some(8_192)));
        let machine = machine
            .with("proc/self/cgroup", "0::/pod/stoa\n")
            .with("sys/fs/cgroup/pod/memory.max", "5000\n")
            .with("sys/fs/cgroup/pod/memory.current", "2000\n")
            .with("sys/fs/cgroup/pod/memory.stat", "anon 900\nactive_file 300\ninactive_file 700\n")
            .with("sys/fs/cgroup/pod/stoa/memory.max", "max\n")
            .with("sys/fs/cgroup/pod/stoa/memory.current", "1\n");
        let memory = machine.memory();
        assert_eq!((memory.total_bytes(), memory.available_bytes()), (Some(5_000), Some(4_000)));
        machine.with("sys/fs/cgroup/pod/memory.current", "4500\n");
        assert_eq!(memory.available_bytes(), Some(1_500), "it is read anew");
    }

    #[test]
    fn a_group_of_version_1_limits() {
        let machine = Fixture::new()
            .with("proc/meminfo", MEMINFO)
            .with("proc/self/cgroup", "4:memory:/stoa\n3:cpu,cpuacct:/stoa\n0::/\n")
            .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
            .with("sys/fs/cgroup/memory/memory.usage_in_bytes", "70000\n")
            .with("sys/fs/cgroup/memory/stoa/memory.limit_in_bytes", "4000\n")
            .with("sys/fs/cgroup/memory/stoa/memory.usage_in_bytes", "3000\n")
            .with(
                "sys/fs/cgroup/memory/stoa/memory.stat",
                "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 0\n",
            );
        let memory = machine.memory();
        assert_eq!((memory.total_bytes(), memory.available_bytes()), (Some(4_000), Some(1_500)));
    }

    #[test]
    fn this_process_uses_memory() {
        let used = InUse::by(std::process::id()).unwrap();
        assert!(used.own_bytes > 100_000 && used.file_bytes > 100_000, "{used:?}");
        assert_eq!(InUse::by(u32::MAX), None);
    }

    #[test]
    fn this_machine_tells() {
        let memory = Memory::of_this_process();
        let (total, available) = (memory.total_bytes().unwrap(), memory.available_bytes().unwrap());
        assert!(0 < available && available <= total, "{available} of {total}");
    }
}

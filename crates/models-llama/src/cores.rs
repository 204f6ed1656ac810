//! How many physical cores this process may use: what its affinity and its control group leave of the machine.
//!
//! Two threads on one core gain llama.cpp nothing, and a thread without a core makes all others wait for it at every
//! barrier, so this number is also the number of threads.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::thread::{CpuSet, sched_getaffinity};

/// At least 1.
pub(crate) fn usable() -> u32 {
    let allowed = allowed();
    Machine { root: PathBuf::from("/") }.usable(&allowed)
}

fn allowed() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => (0..std::thread::available_parallelism().map_or(1, usize::from)).collect(),
    }
}

/// The files that tell about processors and control groups, below `root`.
struct Machine {
    root: PathBuf,
}

impl Machine {
    fn usable(&self, allowed: &[usize]) -> u32 {
        let cores: HashSet<String> = allowed.iter().map(|cpu| self.core(*cpu)).collect();
        let cores = u32::try_from(cores.len()).unwrap_or(u32::MAX);
        self.quota().map_or(cores, |quota| cores.min(quota)).max(1)
    }

    /// A text that is the same for all threads of a core. Where the topology is not told, every thread is a core.
    fn core(&self, cpu: usize) -> String {
        let topology = self.root.join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
        ["core_cpus_list", "thread_siblings_list"]
            .iter()
            .find_map(|file| read(&topology.join(file)))
            .unwrap_or_else(|| cpu.to_string())
    }

    /// Whole processors that the control groups of this process allow; `None` without a limit.
    fn quota(&self) -> Option<u32> {
        let groups = read(&self.root.join("proc/self/cgroup"))?;
        groups
            .lines()
            .filter_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
                if controllers.is_empty() {
                    self.smallest("sys/fs/cgroup", path, unified)
                } else if controllers.split(',').any(|controller| controller == "cpu") {
                    let mounts = ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"];
                    mounts.iter().filter_map(|mount| self.smallest(mount, path, legacy)).min()
                } else {
                    None
                }
            })
            .min()
    }

    /// The smallest limit of the group `path` and of all groups around it.
    fn smallest(&self, mount: &str, path: &str, limit: fn(&Path) -> Option<u32>) -> Option<u32> {
        let mount = self.root.join(mount);
        let group = mount.join(path.trim_start_matches('/'));
        // In a container the path may be the host's, and then only the mount's own limit can be read.
        group.ancestors().take_while(|directory| directory.starts_with(&mount)).filter_map(limit).min()
    }
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `cpu.max` of version 2: quota and period in microseconds, or `max`.
fn unified(group: &Path) -> Option<u32> {
    let text = read(&group.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    whole(quota.parse().ok()?, period.parse().ok()?)
}

/// The files of version 1; a quota of -1 is no limit.
fn legacy(group: &Path) -> Option<u32> {
    let quota = read(&group.join("cpu.cfs_quota_us"))?.parse::<i64>().ok()?;
    let period = read(&group.join("cpu.cfs_period_us"))?.parse().ok()?;
    whole(u64::try_from(quota).ok()?, period)
}

fn whole(quota: u64, period: u64) -> Option<u32> {
    quota.checked_div(period).map(|processors| u32::try_from(processors).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        directory: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn with(self, path: &str, text: &str) -> Self {
            let path = self.directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn with_threads_of_cores(mut self, siblings: &[&str]) -> Self {
            for (cpu, list) in siblings.iter().enumerate() {
                let path = format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
                self = self.with(&path, &format!("{list}\n"));
            }
            self
        }

        fn usable(&self, allowed: &[usize]) -> u32 {
            Machine { root: self.directory.path().to_owned() }.usable(allowed)
        }
    }

    #[test]
    fn two_threads_of_one_core_count_once() {
        let machine = Fixture::new().with_threads_of_cores(&["0,2", "1,3", "0,2", "1,3"]);
        assert_eq!(machine.usable(&[0, 1, 2, 3]), 2);
        assert_eq!(machine.usable(&[0, 2]), 1);
    }

    #[test]
    fn without_a_topology_every_processor_counts() {
        assert_eq!(Fixture::new().usable(&[0, 1, 2]), 3);
        assert_eq!(Fixture::new().usable(&[]), 1);
    }

    #[test]
    fn the_tightest_group_of_version_2_limits() {
        let machine = Fixture::new()
            .with("proc/self/cgroup", "0::/pod/stoa\n")
            .with("sys/fs/cgroup/pod/cpu.max", "250000 100000\n")
            .with("sys/fs/cgroup/pod/stoa/cpu.max", "max 100000\n");
        assert_eq!(machine.usable(&[0, 1, 2, 3]), 2);
    }

    #[test]
    fn a_group_of_version_1_limits() {
        let machine = Fixture::new()
            .with("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/stoa\n")
            .with("sys/fs/cgroup/cpu,cpuacct/stoa/cpu.cfs_quota_us", "50000\n")
            .with("sys/fs/cgroup/cpu,cpuacct/stoa/cpu.cfs_period_us", "100000\n");
        assert_eq!(machine.usable(&[0, 1]), 1);
        let free = Fixture::new()
            .with("proc/self/cgroup", "3:cpu:/\n")
            .with("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
            .with("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
        assert_eq!(free.usable(&[0, 1]), 2);
    }

    #[test]
    fn this_machine_has_at_least_one() {
        assert!(usable() >= 1);
    }
}

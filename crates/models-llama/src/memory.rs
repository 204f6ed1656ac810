//! How much memory is free for this process: what the machine has left, and what its control group leaves of that.

use std::fs;
use std::path::{Path, PathBuf};

/// `None` where the system does not tell.
pub(crate) fn available_bytes() -> Option<u64> {
    available(Path::new("/"))
}

fn available(root: &Path) -> Option<u64> {
    let machine = machine(&root.join("proc/meminfo"));
    let group = group(root);
    machine.into_iter().chain(group).min()
}

fn machine(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// What is left in the tightest group around this process (version 2).
fn group(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount: PathBuf = root.join("sys/fs/cgroup");
    let group = mount.join(path.trim_start_matches('/'));
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    group
        .ancestors()
        .take_while(|directory| directory.starts_with(&mount))
        .filter_map(|directory| {
            let most = number(directory.join("memory.max"))?;
            Some(most.saturating_sub(number(directory.join("memory.current")).unwrap_or(0)))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_counts() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(available(directory.path()), None);
        write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    8 kB\n");
        assert_eq!(available(directory.path()), Some(8_192));
        write("proc/self/cgroup", "0::/pod/stoa\n");
        write("sys/fs/cgroup/pod/memory.max", "5000\n");
        write("sys/fs/cgroup/pod/memory.current", "1000\n");
        write("sys/fs/cgroup/pod/stoa/memory.max", "max\n");
        assert_eq!(available(directory.path()), Some(4_000));
        assert!(available_bytes().is_some());
    }
}

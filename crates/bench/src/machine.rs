//! What the kernel knows about a process: its processor time and its memory.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process of the largest case has open.
const FILES: u64 = 20_000;
/// Ticks of `/proc/PID/stat` in a second: fixed for programs on Linux, whatever the kernel's own clock (proc(5)).
const TICKS_PER_SECOND: u32 = 100;

/// Lets this process, and those that it starts, open as many files as the system allows.
pub(crate) fn raise_file_limit() {
    let hard = getrlimit(Resource::Nofile).maximum;
    let most = hard.map_or(FILES, |hard| hard.max(FILES));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) });
    if raised.is_err() {
        // Only root goes past the hard limit.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
    }
}

/// Processor time that the process has used so far, in user and kernel mode, all threads.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    parse_processor_time(&stat).with_context(|| format!("/proc/{pid}/stat is not as expected"))
}

fn parse_processor_time(stat: &str) -> Option<Duration> {
    // The name stands in parentheses and may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
}

/// Resident memory of the process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = read(pid, "status")?;
    parse_resident(&status).with_context(|| format!("/proc/{pid}/status is not as expected"))
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("{path} cannot be read: the process is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 3 0 100 1000 200 0";
        assert_eq!(parse_processor_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t   512 kB\n"), Some(512 * 1_024));
        assert_eq!(parse_resident("Name:\tx\n"), None);
        assert!(resident_bytes(std::process::id()).unwrap() > 0);
    }
}

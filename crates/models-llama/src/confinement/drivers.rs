//! What the drivers of devices need beyond a worker's lock: their libraries and what describes the hardware, to read; their
//! devices, to use; and the system calls by which they do that.
//!
//! What is here for Mesa was tried with its software driver. The rest is from what the drivers of makers are known to do,
//! and not verified on their hardware: what is missing makes a load fail, and the model goes to the processor.

use std::path::{Path, PathBuf};

use landlock::{AccessFs, BitFlags, PathFd};
use libc::c_long;

/// Folders and files that are read: libraries, what says which drivers there are, and what hardware there is.
const READ: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/cuda",
    "/usr/local/nvidia",
    "/opt/rocm",
    "/etc/ld.so.cache",
    "/etc/vulkan",
    "/etc/drirc",
    "/usr/share/drirc.d",
    "/usr/share/libdrm",
    "/usr/share/nvidia",
    "/usr/share/vulkan",
    "/usr/local/share/vulkan",
    "/sys",
];

/// Of the kernel's own files, those that drivers ask.
const READ_OF_KERNEL: &[&str] =
    &["/proc/self", "/proc/cpuinfo", "/proc/devices", "/proc/meminfo", "/proc/modules", "/proc/driver/nvidia"];

/// Devices with a fixed name. Those of NVIDIA have numbers.
const DEVICES: &[&str] = &["/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/nvidia-caps", "/dev/null", "/dev/zero"];

const NVIDIA: &str = "nvidia";

/// What may be done where. What does not exist is passed over.
pub(super) fn files() -> Vec<(PathFd, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let used = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev;
    let fixed = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let listed = |variable: &str| {
        let paths = std::env::var_os(variable).unwrap_or_default();
        std::env::split_paths(&paths).filter(|path| path.is_absolute()).collect::<Vec<_>>()
    };
    let to_read = [
        fixed(READ),
        fixed(READ_OF_KERNEL),
        listed("LD_LIBRARY_PATH"),
        listed("VK_DRIVER_FILES"),
        listed("VK_ICD_FILENAMES"),
    ];
    let to_read = to_read.into_iter().flatten().filter_map(|path| open(&path, read));
    let cards = std::fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    let cards = cards.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NVIDIA)));
    let to_use = fixed(DEVICES).into_iter().chain(cards).filter_map(|path| open(&path, used));
    to_read.chain(to_use).collect()
}

/// What is no folder cannot be listed.
fn open(path: &Path, access: BitFlags<AccessFs>) -> Option<(PathFd, BitFlags<AccessFs>)> {
    let access = if path.is_dir() { access } else { access & !BitFlags::from(AccessFs::ReadDir) };
    Some((PathFd::new(path).ok()?, access))
}

/// With any arguments, beside those of every worker: what is reached by them is what Landlock lets be opened, and the
/// process itself.
pub(super) const CALLS: &[c_long] = &[
    // Devices.
    libc::SYS_ioctl,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
    // Looking for libraries and hardware.
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_getcwd,
    // Waiting for devices, and threads of drivers.
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_clock_getres,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getcpu,
    libc::SYS_getrusage,
    libc::SYS_getpriority,
    // Who it is.
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
];

#[cfg(target_arch = "x86_64")]
pub(super) const CALLS_HERE: &[c_long] =
    &[libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink, libc::SYS_pipe, libc::SYS_epoll_wait];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const CALLS_HERE: &[c_long] = &[];

//! The system calls that a worker may make: those that reading its model, computing and talking over the inherited socket
//! need. Everything else fails with "operation not permitted", so that a library that merely tries something goes on
//! without it.

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule};
use stoa_confinement::seccomp::{DENIED, either, equal, equal_long, masked, no_clone3, target};

use stoa_models::protocol::LockProfile;

use super::{ConfinementError, drivers};

/// With any arguments: they reach what the process already has, its own memory, and its own threads.
const FREE: &[c_long] = &[
    // What is open: the socket, standard error, the model.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fadvise64,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // What it is and what time it is.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Those of x86-64 that other processors have no number for.
#[cfg(target_arch = "x86_64")]
const FREE_HERE: &[c_long] = &[libc::SYS_poll, libc::SYS_time, libc::SYS_gettimeofday];
#[cfg(not(target_arch = "x86_64"))]
const FREE_HERE: &[c_long] = &[];

/// What a thread of this process is started with, and a process of its own, or one in other namespaces, is not.
const THREAD: c_int = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
const NO_THREAD: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE
    | libc::CLONE_VFORK
    | libc::CLONE_PIDFD;

const FOR_WRITING: c_int = libc::O_ACCMODE | FOR_MAKING;

/// No driver makes a file. What it may write to is for Landlock to say.
const FOR_MAKING: c_int = libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;

pub(super) fn restrict(profile: LockProfile) -> Result<(), ConfinementError> {
    // Of two filters that refuse, the later one's answer counts. This one must be the first, as the other lets no filter
    // be installed after it.
    seccompiler::apply_filter(&no_clone3()?)?;
    seccompiler::apply_filter(&allowed(profile)?)?;
    Ok(())
}

fn allowed(profile: LockProfile) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        FREE.iter().chain(FREE_HERE).map(|call| (*call, Vec::new())).collect();
    // Its answer is that of the other filter.
    rules.insert(libc::SYS_clone3, Vec::new());
    let this_process = rustix::process::getpid().as_raw_nonzero().get();
    let conditions = [
        (libc::SYS_clone, vec![masked(0, THREAD | NO_THREAD, THREAD)?]),
        (libc::SYS_openat, vec![masked(2, FOR_WRITING, libc::O_RDONLY)?]),
        // No code but that of the program.
        (libc::SYS_mmap, vec![masked(2, libc::PROT_EXEC, 0)?]),
        (libc::SYS_mprotect, vec![masked(2, libc::PROT_EXEC, 0)?]),
        // To nobody but the other end of the socket.
        (libc::SYS_sendto, vec![equal_long(4, 0)?]),
        // To nobody but itself: an abort, and the end when the server hangs up.
        (libc::SYS_kill, vec![equal(0, this_process)?]),
        (libc::SYS_tgkill, vec![equal(0, this_process)?]),
        // Of the calling thread alone; without a capability, only to get less of the processor.
        (libc::SYS_setpriority, vec![equal(0, 0)?, equal(1, 0)?]),
        (libc::SYS_getpriority, vec![equal(0, 0)?, equal(1, 0)?]),
        // Read, not set.
        (libc::SYS_prlimit64, vec![equal(0, 0)?, equal_long(2, 0)?]),
    ];
    for (call, conditions) in conditions {
        rules.insert(call, vec![SeccompRule::new(conditions)?]);
    }
    rules.insert(libc::SYS_fcntl, either(1, &[libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC])?);
    rules.insert(libc::SYS_prctl, either(0, &[libc::PR_SET_NAME, libc::PR_SET_VMA, libc::PR_GET_SECCOMP])?);
    if profile == LockProfile::Devices {
        rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![masked(2, FOR_MAKING, 0)?])?]);
        rules.extend(drivers::CALLS.iter().chain(drivers::CALLS_HERE).map(|call| (*call, Vec::new())));
    }
    if profile == LockProfile::Writing {
        // Which file, and no new one, is for Landlock to say.
        rules.insert(libc::SYS_openat, Vec::new());
    }
    SeccompFilter::new(rules, DENIED, SeccompAction::Allow, target()?)?.try_into()
}

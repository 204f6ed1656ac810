//! The few calls for which there is no safe form.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::c_int;

/// Closes whatever was inherited beside standard input, output and error when the next program starts.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: marks descriptors and touches no memory.
    let result = unsafe { libc::close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes whatever is open from `first` on. The caller owns none of it.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called first thing in the process, when nothing in it owns a descriptor but the standard ones.
    let result = unsafe { libc::close_range(first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From here on, mounts of this process are its own.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: the process has one thread, and what it has open stays.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor that can be read when a child has changed. The signal itself is blocked in this thread from here on;
/// programs that std starts have it unblocked.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before it is read, and outlives the calls.
    let descriptor = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// To every process of the sandbox but the first, which sends it.
pub(crate) fn signal_all(signal: c_int) {
    // SAFETY: sends a signal and touches no memory. Fails when there is nobody, which is as good.
    unsafe { libc::kill(-1, signal) };
}

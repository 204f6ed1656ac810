//! The model worker alone, for tests that need no whole `stoa`; and one that tries to break out, to test its lock.

#![expect(unsafe_code, reason = "what a worker may not do is tried with bare system calls, as an intruder would")]

use std::ffi::{OsString, c_long};
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, kill_process};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|argument| argument == "--break-out").is_none() {
        return stoa_models_llama::run_worker(arguments);
    }
    let places: Vec<OsString> = arguments.by_ref().take(3).collect();
    let [listener, folder, model] = &places[..] else { return ExitCode::FAILURE };
    let (listener, folder, model) = (listener.to_string_lossy(), Path::new(folder), Path::new(model));
    in_the_open("before", &listener, folder, model);
    stoa_models_llama::run_worker_with(arguments, || {
        in_the_open("after", &listener, folder, model);
        by_system_calls();
        tell("after", "end", Ok(()));
    })
}

/// One line for each: when, what, and the number of the error or 0.
fn tell(when: &str, what: &str, result: io::Result<()>) {
    let number = result.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0);
    // The test sees that something is missing.
    let _ = writeln!(io::stdout(), "{when} {what} {number}");
}

/// What any program may do, so that it can be tried before the lock as well.
fn in_the_open(when: &str, listener: &str, folder: &Path, model: &Path) {
    let open = |path: &Path| File::open(path).map(drop);
    tell(when, "read_model", open(model));
    tell(when, "read_users", open(Path::new("/etc/passwd")));
    tell(when, "read_beside_model", open(&folder.join("secret")));
    tell(when, "read_environment_of_parent", fs::read(format!("/proc/{}/environ", getppid_raw())).map(drop));
    tell(when, "list", fs::read_dir(folder).map(drop));
    tell(when, "write", fs::write(folder.join(when), b"x"));
    tell(when, "append", File::options().append(true).open(folder.join("secret")).map(drop));
    tell(when, "make_folder", fs::create_dir(folder.join(format!("{when}-folder"))));
    tell(when, "link", fs::hard_link(folder.join("secret"), folder.join(format!("{when}-link"))));
    tell(when, "connect", TcpStream::connect(listener).map(drop));
    tell(when, "look_for_parent", getppid().map_or(Ok(()), |parent| Ok(rustix::process::test_kill_process(parent)?)));
}

fn getppid_raw() -> i32 {
    getppid().map_or(0, |parent| parent.as_raw_nonzero().get())
}

/// What is never tried outside of the lock. Arguments are such that a call that is let through does no harm.
fn by_system_calls() {
    tell("after", "exec", Err(Command::new("/bin/true").exec()));
    tell("after", "stop_parent", getppid().map_or(Ok(()), |parent| Ok(kill_process(parent, Signal::CONT)?)));
    let parent = c_long::from(getppid_raw());
    let page = c_long::from(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
    let private = c_long::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let calls: &[(&str, c_long, [c_long; 6])] = &[
        ("socket", libc::SYS_socket, [1, 1, 0, 0, 0, 0]),
        ("socketpair", libc::SYS_socketpair, [1, 1, 0, 0, 0, 0]),
        ("bind", libc::SYS_bind, [0; 6]),
        ("listen", libc::SYS_listen, [0; 6]),
        ("accept", libc::SYS_accept4, [0; 6]),
        ("new_process", libc::SYS_clone, [c_long::from(libc::SIGCHLD), 0, 0, 0, 0, 0]),
        ("clone3", libc::SYS_clone3, [0; 6]),
        ("ptrace", libc::SYS_ptrace, [16, parent, 0, 0, 0, 0]),
        ("read_memory", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0, 0]),
        ("write_memory", libc::SYS_process_vm_writev, [parent, 0, 0, 0, 0, 0]),
        ("pidfd_open", libc::SYS_pidfd_open, [parent, 0, 0, 0, 0, 0]),
        ("code", libc::SYS_mmap, [0, 4_096, page, private, -1, 0]),
        ("memfd", libc::SYS_memfd_create, [c"x".as_ptr() as c_long, 0, 0, 0, 0, 0]),
        ("openat2", libc::SYS_openat2, [0; 6]),
        ("mount", libc::SYS_mount, [0; 6]),
        ("chroot", libc::SYS_chroot, [0; 6]),
        ("unshare", libc::SYS_unshare, [0; 6]),
        ("setns", libc::SYS_setns, [-1, 0, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [-1, 0, 0, 0, 0, 0]),
        ("bpf", libc::SYS_bpf, [-1, 0, 0, 0, 0, 0]),
        ("perf", libc::SYS_perf_event_open, [0; 6]),
        ("io_uring", libc::SYS_io_uring_setup, [0; 6]),
        ("userfaultfd", libc::SYS_userfaultfd, [-1, 0, 0, 0, 0, 0]),
        ("ioctl", libc::SYS_ioctl, [0; 6]),
        ("seccomp", libc::SYS_seccomp, [-1, 0, 0, 0, 0, 0]),
        ("capset", libc::SYS_capset, [0; 6]),
        ("setuid", libc::SYS_setuid, [0; 6]),
        ("limit_others", libc::SYS_prlimit64, [parent, 7, 0, 0, 0, 0]),
        ("slow_parent", libc::SYS_setpriority, [0, parent, 19, 0, 0, 0]),
        ("shared_memory", libc::SYS_shmget, [0, 4_096, 0o1600, 0, 0, 0]),
    ];
    for (what, number, arguments) in calls {
        let [first, second, third, fourth, fifth, sixth] = *arguments;
        // SAFETY: Every one of them either has no pointers or null pointers, which the kernel refuses by itself, but for
        // a name that lives as long as the program and a fresh page that nobody uses. A new process ends at once.
        let answer = unsafe { libc::syscall(*number, first, second, third, fourth, fifth, sixth) };
        if *what == "new_process" && answer == 0 {
            std::process::abort();
        }
        tell("after", what, if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) });
    }
}

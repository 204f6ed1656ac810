//! What a sandbox is made of: the arguments of bubblewrap, and the descriptors they stand for.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use super::Request;
use crate::host::Host;

/// The first process, in the sandbox.
const INIT: &str = "/.init";

/// Who functions are in there.
const USER: &str = "1000";

/// Of `/dev/shm`, which is memory of the function's.
const SHARED_BYTES: &str = "67108864";

/// Top folders that are links into `/usr` on merged systems, and folders on others.
const TOP: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Of the host's `/etc`, what may be seen.
const OF_ETC: [&str; 2] = ["/etc/ssl/certs", "/etc/alternatives"];

pub(crate) struct Volume {
    pub(crate) folder: OwnedFd,
    pub(crate) path: String,
    pub(crate) read_only: bool,
}

struct Arguments<'a> {
    /// Whether what is handed over has a path by then.
    staged: bool,
    words: Vec<String>,
    descriptors: Vec<BorrowedFd<'a>>,
}

impl<'a> Arguments<'a> {
    fn add(&mut self, words: &[&str]) {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn mount(&mut self, folder: &'a OwnedFd, place: &str, read_only: bool) {
        let how = match (self.staged, read_only) {
            (true, true) => "--ro-bind",
            (true, false) => "--bind",
            (false, true) => "--ro-bind-fd",
            (false, false) => "--bind-fd",
        };
        let number = format!("@{}", self.descriptors.len());
        self.descriptors.push(folder.as_fd());
        self.add(&[how, &number, place]);
    }
}

pub(super) fn bubblewrap<'a>(host: &'a Host, request: &'a Request) -> (Vec<String>, Vec<BorrowedFd<'a>>) {
    let mut arguments = Arguments { staged: host.users.is_some(), words: Vec::new(), descriptors: Vec::new() };
    arguments.add(&["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--as-pid-1"]);
    arguments.add(&["--clearenv", "--cap-drop", "ALL", "--uid", USER, "--gid", USER, "--hostname", "function"]);
    arguments.add(&["--ro-bind", "/usr", "/usr"]);
    for name in TOP {
        let place = Path::new("/").join(name);
        match (std::fs::read_link(&place), place.to_str()) {
            (Ok(target), Some(place)) => {
                if let Some(target) = target.to_str() {
                    arguments.add(&["--symlink", target, place]);
                }
            }
            (Err(_), Some(place)) if Path::new(place).is_dir() => arguments.add(&["--ro-bind", place, place]),
            _ => {}
        }
    }
    arguments.mount(&host.etc, "/etc", true);
    for place in OF_ETC {
        arguments.add(&["--ro-bind-try", place, place]);
    }
    for (runtime, path) in host.runtimes.iter().zip(&host.options.runtimes) {
        if let Some(path) = path.to_str() {
            arguments.mount(runtime, path, true);
        }
    }
    arguments.add(&["--proc", "/proc", "--dev", "/dev"]);
    arguments.add(&["--perms", "1777", "--size", SHARED_BYTES, "--tmpfs", "/dev/shm"]);
    arguments.add(&["--perms", "1777", "--size", &request.disk_bytes.to_string(), "--tmpfs", "/tmp"]);
    arguments.mount(&request.code, "/code", true);
    for volume in &request.volumes {
        arguments.mount(&volume.folder, &volume.path, volume.read_only);
    }
    arguments.mount(&host.init, INIT, true);
    // What bubblewrap itself has made is memory that nobody has counted out.
    arguments.add(&["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--", INIT]);
    arguments.add(&[stoa_functions_init::INNER]);
    (arguments.words, arguments.descriptors)
}

//! What keeps a system from making sandboxes, in words for whoever runs it.

use std::fs;
use std::path::Path;

/// The settings of the kernel that forbid what a sandbox is made by, and what to do about each.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps bubblewrap from namespaces of its own, as Ubuntu has it from 24.04 on: load a profile that lets it, \
         which the guide has (install.md)",
    ),
    ("kernel/unprivileged_userns_clone", "0", "set the kernel's `kernel.unprivileged_userns_clone` to 1"),
    ("user/max_user_namespaces", "0", "set the kernel's `user.max_user_namespaces` to more than 0"),
];

const FILTERED: &str = "a filter of system calls is on this server, as containers have it: let it make namespaces \
                        (`--security-opt seccomp=unconfined`, `systempaths=unconfined`)";

/// What stands in the way here, as far as it can be told.
pub(crate) fn found() -> Vec<&'static str> {
    below(Path::new("/proc"))
}

fn below(proc: &Path) -> Vec<&'static str> {
    let says = |name: &str, value: &str| {
        fs::read_to_string(proc.join("sys").join(name)).is_ok_and(|text| text.trim() == value)
    };
    let mut found: Vec<_> =
        SETTINGS.iter().filter(|(name, value, _)| says(name, value)).map(|(.., advice)| *advice).collect();
    let status = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    if status.lines().filter_map(|line| line.strip_prefix("Seccomp:")).any(|mode| mode.trim() == "2") {
        found.push(FILTERED);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_system_forbids_is_told_with_what_to_do() {
        let proc = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = proc.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(below(proc.path()).is_empty(), "what cannot be read says nothing");
        write("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        write("sys/kernel/unprivileged_userns_clone", "1\n");
        write("sys/user/max_user_namespaces", "63000\n");
        write("self/status", "Name:\tstoa\nSeccomp:\t0\n");
        assert!(matches!(below(proc.path())[..], [advice] if advice.contains("AppArmor")));
        write("sys/kernel/apparmor_restrict_unprivileged_userns", "0\n");
        write("sys/user/max_user_namespaces", "0\n");
        write("self/status", "Name:\tstoa\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        assert!(matches!(below(proc.path())[..], [one, FILTERED] if one.contains("max_user_namespaces")));
    }
}

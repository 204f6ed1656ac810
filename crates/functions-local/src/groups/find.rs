//! Which control groups this host has, and those that belong to this engine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Group;

/// All groups of engines are called so, with the process and a number behind it.
pub(crate) const NAME: &str = "stoa-functions-";

static ENGINES: AtomicU32 = AtomicU32::new(0);

/// The controllers without which an instance is not held to its limits.
const LIMITS: [&str; 3] = ["cpu", "memory", "pids"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One tree for all.
    V2,
    /// A tree for each controller.
    V1,
}

/// The engine's own groups, in which those of instances are made.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    /// By which instances are limited; none where this user may not.
    pub(crate) limits: Option<Limits>,
    /// In the tree of version 2, also where that has no controllers: what freezes and kills.
    pub(crate) freezer: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) kind: Kind,
    /// One, or one for each of [`LIMITS`].
    pub(crate) folders: Vec<PathBuf>,
}

/// Where this process is in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Of version 1; empty in version 2.
    controllers: Vec<String>,
    folder: PathBuf,
}

impl Groups {
    pub(crate) const NONE: Self = Self { limits: None, freezer: None };

    /// Makes them. `record` is told of each before.
    pub(crate) fn make(mut record: impl FnMut(&Path) -> io::Result<()>) -> io::Result<Self> {
        let memberships = std::fs::read_to_string("/proc/self/cgroup")?;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let places = places(&memberships, &mounts);
        let name = format!("{NAME}{}-{}", std::process::id(), ENGINES.fetch_add(1, Ordering::Relaxed));
        let mut make = |place: &Path| {
            let folder = place.join(&name);
            record(&folder).and_then(|()| std::fs::create_dir(&folder)).map(|()| folder)
        };
        let unified = places.iter().find(|place| place.controllers.is_empty()).map(|place| place.folder.clone());
        // The tree of version 2 has the controllers, or the trees of version 1 do.
        let mut freezer = None;
        let mut limits = None;
        if let Some(unified) = &unified {
            let controlled = delegate(unified);
            if let Ok(folder) = make(unified) {
                if controlled && enable(&folder).is_ok() {
                    limits = Some(Limits { kind: Kind::V2, folders: vec![folder.clone()] });
                }
                // Since Linux 5.2; not in the root group.
                if folder.join("cgroup.freeze").exists() {
                    freezer = Some(folder);
                }
            }
        }
        if limits.is_none() {
            let folders = LIMITS.map(|controller| {
                let has = |place: &&Place| place.controllers.iter().any(|name| name == controller);
                let place = places.iter().find(has)?;
                make(&place.folder).ok()
            });
            let folders: Option<Vec<_>> = folders.into_iter().collect();
            limits = folders.map(|folders| Limits { kind: Kind::V1, folders });
        }
        Ok(Self { limits, freezer })
    }

    /// For one instance.
    pub(crate) fn make_group(&self, instance: &str) -> io::Result<Group> {
        Group::make(self, instance)
    }

    /// All that are there.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        let limits = self.limits.iter().flat_map(|limits| &limits.folders);
        limits.chain(
            self.freezer
                .iter()
                .filter(|freezer| self.limits.as_ref().is_none_or(|limits| !limits.folders.contains(freezer))),
        )
    }
}

/// A group with processes in it passes no controllers on: this process moves into one beside those of instances.
fn delegate(own: &Path) -> bool {
    let has = std::fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    if !LIMITS.iter().all(|limit| has.split_whitespace().any(|controller| controller == *limit)) {
        return false;
    }
    if enable(own).is_ok() {
        return true;
    }
    let server = own.join("stoa-server");
    let made = std::fs::create_dir(&server);
    if made.is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        return false;
    }
    let moved = std::fs::write(server.join("cgroup.procs"), std::process::id().to_string());
    moved.and_then(|()| enable(own)).is_ok()
}

fn enable(folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join("cgroup.subtree_control"), "+cpu +memory +pids")
}

/// From `/proc/self/cgroup` and `/proc/self/mountinfo`: cgroups(7), proc(5).
fn places(memberships: &str, mounts: &str) -> Vec<Place> {
    let membership = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some((controllers, PathBuf::from(parts.next()?)))
    };
    memberships
        .lines()
        .filter_map(membership)
        .filter_map(|(controllers, path): (Vec<String>, _)| {
            let (root, mounted) = mounts.lines().find_map(|line| mount_of(line, &controllers))?;
            // What is mounted may be a part of the tree, this process's own part at most.
            let folder = mounted.join(path.strip_prefix(&root).ok()?);
            Some(Place { controllers, folder })
        })
        .collect()
}

/// The root and the place of a mount, if it is that of the tree with these controllers.
fn mount_of(line: &str, controllers: &[String]) -> Option<(PathBuf, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, place) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let kind = after.next()?;
    let options = after.nth(1)?;
    let is_it = match controllers.first() {
        None => kind == "cgroup2",
        Some(first) => kind == "cgroup" && options.split(',').any(|option| option == first),
    };
    is_it.then(|| (PathBuf::from(root), PathBuf::from(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_hybrid_host_are_found() {
        let memberships = "8:pids:/\n4:memory:/tenants/a\n3:cpu,cpuacct:/\n2:name=systemd:/\n0::/\n";
        let mounts = "25 1 0:20 / /sys/fs/cgroup rw shared:1 - tmpfs tmpfs rw\n\
                      26 25 0:21 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      27 25 0:22 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      28 25 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found: Vec<_> = places(memberships, mounts)
            .into_iter()
            .map(|place| (place.controllers.join("+"), place.folder.display().to_string()))
            .collect();
        let expected = [
            ("memory", "/sys/fs/cgroup/memory/tenants/a"),
            ("cpu+cpuacct", "/sys/fs/cgroup/cpu,cpuacct/"),
            ("", "/sys/fs/cgroup/unified/"),
        ];
        assert_eq!(found, expected.map(|(controllers, folder)| (controllers.to_owned(), folder.to_owned())));
    }

    #[test]
    fn a_part_of_the_tree_is_mounted_in_a_container() {
        let mounts = "30 25 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n";
        let found = places("0::/docker/abc/leaf\n", mounts);
        assert_eq!(found[0].folder, Path::new("/sys/fs/cgroup/leaf"));
        assert_eq!(places("0::/elsewhere\n", mounts), []);
    }
}

//! From what a version asks for to what is put into a sandbox.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use stoa_functions::Version;
use stoa_functions_init::protocol::Plan;

use crate::host::{self, Host};
use crate::sandbox::{Request, Volume};
use crate::ways::Wanted;

/// Where the code is, and where commands run.
pub(crate) const CODE: &str = "/code";

/// Places that every function may write to.
pub(crate) const WRITABLE: [&str; 2] = ["/tmp", "/dev/shm"];

pub(crate) fn request(host: &Host, version: &Version, name: &str) -> io::Result<Request> {
    let spec = &version.spec;
    let mut writable: Vec<_> = WRITABLE.iter().map(PathBuf::from).collect();
    let mut volumes = Vec::new();
    for (volume, folder) in spec.volumes.iter().zip(&version.volumes) {
        let read_only = volume.read_only;
        if !read_only {
            writable.push(PathBuf::from(&volume.path));
        }
        volumes.push(Volume { folder: host::open(&folder.0)?, path: volume.path.clone(), read_only });
    }
    let plan = Plan {
        command: spec.command.clone(),
        environment: environment(host, version),
        working_directory: CODE.into(),
        writable,
        limits: host.limits(spec.disk_bytes()),
        needs_landlock: spec.isolation.landlock,
        port: Some(spec.port),
        takes_code: false,
        doors: Wanted::by_spec(spec).ports(),
    };
    Ok(Request {
        name: name.to_owned(),
        plan,
        code: host::open(&version.code)?,
        volumes,
        user: None,
        disk_bytes: spec.disk_bytes(),
        memory_bytes: spec.memory_bytes(),
    })
}

/// What every function finds, under what its version says.
pub(crate) fn environment(host: &Host, version: &Version) -> BTreeMap<String, String> {
    let mut environment = base(host);
    // Where a build puts the packages of Python; those of Node.js are found without.
    environment.insert("PYTHONPATH".to_owned(), format!("{CODE}/python_modules"));
    environment.extend(version.spec.environment.clone());
    for name in ["PORT", "FC_SERVER_PORT"] {
        environment.insert(name.to_owned(), version.spec.port.to_string());
    }
    environment.extend(Wanted::by_spec(&version.spec).variables());
    environment
}

pub(crate) fn base(host: &Host) -> BTreeMap<String, String> {
    let runtimes = host.options.runtimes.iter().map(|runtime| format!("{}/bin:", runtime.display()));
    let path = format!("{}/usr/local/bin:/usr/bin:/bin", runtimes.collect::<String>());
    [
        ("PATH", path.as_str()),
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        // What is printed is in the log at once.
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

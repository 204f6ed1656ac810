//! From what a version asks for to what is put into a sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stoa_functions::{StopReason, Version};
use stoa_functions_init::protocol::Plan;

use crate::host::{self, Host};
use crate::sandbox::{Request, Volume};
use crate::users::User;
use crate::volumes::VolumeError;
use crate::ways::Wanted;

/// Where the code is, and where commands run.
pub(crate) const CODE: &str = "/code";

/// Places that every function may write to.
pub(crate) const WRITABLE: [&str; 2] = ["/tmp", "/dev/shm"];

/// Blocks where there are volumes.
pub(crate) fn request(host: &Host, version: &Version, name: &str) -> Result<Request, StopReason> {
    let spec = &version.spec;
    let mut writable: Vec<_> = WRITABLE.iter().map(PathBuf::from).collect();
    let (mut volumes, mut user, mut file_bytes) = (Vec::new(), None, spec.disk_bytes());
    for (volume, key) in spec.volumes.iter().zip(&version.volumes) {
        let missing = || StopReason::VolumeMissing { volume: volume.volume.clone() };
        let all = host.options.volumes.as_ref().ok_or_else(missing)?;
        let opened = all.open(*key).and_then(|opened| Ok((opened.to_mount()?, opened.user())));
        let (folder, its_user) = opened.map_err(|error| match error {
            VolumeError::Missing => missing(),
            error => failed(&error),
        })?;
        user = its_user;
        if !volume.read_only {
            writable.push(PathBuf::from(&volume.path));
            file_bytes = file_bytes.max(all.most_bytes(*key).ok_or_else(missing)?);
        }
        volumes.push(Volume { folder, path: volume.path.clone(), read_only: volume.read_only });
    }
    let plan = Plan {
        command: spec.command.clone(),
        environment: environment(host, version),
        working_directory: CODE.into(),
        writable,
        limits: host.limits(file_bytes),
        needs_landlock: spec.isolation.landlock,
        port: Some(spec.port),
        takes_code: false,
        doors: Wanted::by_spec(spec).ports(),
    };
    Ok(Request {
        name: name.to_owned(),
        plan,
        code: host::open(&version.code).map_err(|error| failed(&error))?,
        volumes,
        user: user.map(User::shared),
        disk_bytes: spec.disk_bytes(),
        memory_bytes: spec.memory_bytes(),
    })
}

fn failed(error: &dyn std::error::Error) -> StopReason {
    StopReason::Sandbox { detail: stoa_egress::describe(error) }
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

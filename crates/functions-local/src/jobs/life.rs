//! The life of a job, from its turn to its end.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::CWD;
use stoa_functions_init::protocol::{Ended, Failure, Plan};
use tokio::time::Instant;

use super::disk::Disk;
use super::{Job, JobFiles, JobHandle, JobOutcome, JobState, Jobs};
use crate::host::{self, Host};
use crate::instance::{plan, status};
use crate::sandbox::{MakeError, Request, Sandbox, Volume};
use crate::tree::{self, TreeError};
use crate::users::User;
use crate::ways::{Wanted, Ways};

/// Of `/tmp`, which is memory. Large files are written to `/scratch`.
const TEMPORARY_BYTES: u64 = 64 << 20;

pub(super) async fn live(host: &Arc<Host>, jobs: &Jobs, job: &Job, handle: &JobHandle) -> JobOutcome {
    let cache = job.cache.as_ref().map(|folder| jobs.cache(folder));
    let turn = async {
        let cache = match cache {
            Some(cache) => Some(cache.lock_owned().await),
            None => None,
        };
        (cache, jobs.turns.acquire().await)
    };
    let _turn = tokio::select! {
        turn = turn => turn,
        () = handle.0.cancel.cancelled() => return JobOutcome::Cancelled,
    };
    let name = jobs.name();
    let own = host.home.instances().join(&name);
    let outcome = run(host, job, handle, &name, &own).await;
    // Its sandbox has done so, if there was one.
    if own.exists()
        && let Err(error) = std::fs::remove_dir_all(&own)
    {
        tracing::warn!(%error, folder = %own.display(), "the files of a job are left over");
    }
    outcome
}

async fn run(host: &Arc<Host>, job: &Job, handle: &JobHandle, name: &str, own: &Path) -> JobOutcome {
    let began = Instant::now();
    let (host_too, job_too, own) = (Arc::clone(host), job.clone(), own.to_owned());
    let prepared = tokio::task::spawn_blocking(move || Prepared::new(&host_too, &job_too, &own)).await;
    let prepared = match prepared.map_err(|error| error.to_string()) {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(error)) => return JobOutcome::Sandbox { detail: stoa_egress::describe(&error) },
        Err(detail) => return JobOutcome::Sandbox { detail },
    };
    let disk = prepared.disk.clone();
    let start = host.starts.acquire().await;
    let made = Sandbox::make(host, prepared.request(host, job, name)).await;
    drop(start);
    let sandbox = match made {
        Ok(sandbox) => sandbox,
        Err(MakeError::Failed(failure @ Failure::Command { .. })) => {
            return JobOutcome::Failed { status: failure.to_string() };
        }
        Err(error) => return JobOutcome::Sandbox { detail: error.to_string() },
    };
    let _ = handle.0.log.set(Arc::clone(&sandbox.log));
    if let Some(ways) = Ways::of(host, &job.name, Wanted::by_network(&job.network), &sandbox.log) {
        sandbox.let_out(ways);
    }
    handle.enter(JobState::Running);
    let outcome = tokio::select! {
        gone = sandbox.link.gone() => match gone.0 {
            Some(Ended::Code(0)) => JobOutcome::Done,
            _ if sandbox.group.killed_for_memory() > 0 => JobOutcome::OutOfMemory,
            _ => JobOutcome::Failed { status: status(gone) },
        },
        detail = disk.until_full(&job.limits) => JobOutcome::OutOfDisk { detail },
        () = tokio::time::sleep_until(began + job.limits.deadline) => JobOutcome::Deadline,
        () = handle.0.cancel.cancelled() => JobOutcome::Cancelled,
        outcome = hold_to_processor(job, &sandbox) => outcome,
    };
    // By the end of it, everything that it said is in its log.
    sandbox.end().await;
    match outcome {
        JobOutcome::Done => match disk.look(&job.limits).await {
            Ok(()) => JobOutcome::Done,
            Err(detail) => JobOutcome::OutOfDisk { detail },
        },
        outcome => outcome,
    }
}

/// Returns when that fails only.
async fn hold_to_processor(job: &Job, sandbox: &Sandbox) -> JobOutcome {
    match sandbox.group.limit_cpu(job.limits.cpu_millis) {
        Ok(()) => std::future::pending().await,
        Err(error) => JobOutcome::Sandbox { detail: error.to_string() },
    }
}

/// The folders of a job, which are its user's.
struct Prepared {
    user: Option<User>,
    code: OwnedFd,
    /// Where it sees them.
    written: Vec<(&'static str, OwnedFd)>,
    disk: Disk,
}

impl Prepared {
    /// Blocks.
    fn new(host: &Host, job: &Job, own: &Path) -> Result<Self, TreeError> {
        let user = match &host.users {
            Some(users) => Some(users.take().ok_or_else(|| io::Error::other(MakeError::NoUser))?),
            None => None,
        };
        let (code, work) = (own.join("code"), own.join("work"));
        for folder in [own, &code, &work] {
            std::fs::create_dir(folder)?;
            crate::code::readable(folder)?;
        }
        let code = match &job.files {
            JobFiles::Folder(folder) => folder.clone(),
            JobFiles::These(files) => {
                for (name, bytes) in files {
                    std::fs::write(code.join(plain(name)?), bytes)?;
                }
                code
            }
        };
        if let Some(cache) = &job.cache {
            bound(cache, job)?;
        }
        let places = [(Job::OUTPUT, Some(&job.output)), (Job::SCRATCH, Some(&work)), (Job::CACHE, job.cache.as_ref())];
        let (mut written, mut counted) = (Vec::new(), Vec::new());
        for (place, folder) in places {
            let Some(folder) = folder else { continue };
            let opened = tree::open_folder(CWD, folder)?;
            if let Some(user) = &user {
                tree::give(&opened, user.id)?;
            }
            counted.push(opened);
            written.push((place, host::open(folder)?));
        }
        tree::open_folder(CWD, &code)?;
        let code = host::open(&code)?;
        Ok(Self { user, code, written, disk: Disk::of(counted)? })
    }

    fn request(self, host: &Host, job: &Job, name: &str) -> Request {
        let mut writable: Vec<PathBuf> = plan::WRITABLE.iter().map(PathBuf::from).collect();
        writable.extend(self.written.iter().map(|(place, _)| PathBuf::from(place)));
        let mut environment = plan::base(host);
        for name in ["HOME", "TMPDIR"] {
            environment.insert(name.to_owned(), Job::SCRATCH.to_owned());
        }
        environment.extend(job.environment.clone());
        environment.extend(Wanted::by_network(&job.network).variables());
        let plan = Plan {
            command: job.command.clone(),
            environment,
            working_directory: Job::OUTPUT.into(),
            writable,
            limits: host.limits(job.limits.disk_bytes),
            needs_landlock: job.isolation.landlock,
            port: None,
            takes_code: false,
            doors: Wanted::by_network(&job.network).ports(),
        };
        let volume = |(place, folder): (&str, OwnedFd)| Volume { folder, path: place.to_owned(), read_only: false };
        Request {
            name: name.to_owned(),
            plan,
            code: self.code,
            volumes: self.written.into_iter().map(volume).collect(),
            user: self.user,
            disk_bytes: TEMPORARY_BYTES,
            memory_bytes: job.limits.memory_bytes,
        }
    }
}

/// A name, and no path.
fn plain(name: &str) -> io::Result<&str> {
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if is_name { Ok(name) } else { Err(io::ErrorKind::InvalidFilename.into()) }
}

/// Empties a cache that has grown beyond all use.
fn bound(cache: &Path, job: &Job) -> Result<(), TreeError> {
    let usage = tree::usage(&tree::open_folder(CWD, cache)?, u64::MAX)?;
    if usage.bytes <= job.limits.disk_bytes && usage.entries <= job.limits.files {
        return Ok(());
    }
    for entry in std::fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

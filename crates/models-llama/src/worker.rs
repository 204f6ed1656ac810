//! The life of a worker: tie itself to its parent, load the model, serve until told to stop.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit};
use stoa_confinement::end_with_parent;
use stoa_models::memory::Memory;
use stoa_models::protocol::{
    ArgumentError, Confinement, LIST_DEVICES, LoadFailure, LockProfile, QUANTIZE, Report, VERSION, WorkerArguments,
};

use crate::devices::{self, Given};
use crate::engine::{Engine, Room, TextQueue};
use crate::link::{Link, LinkError, Reports};
use crate::{confinement, cores, processor, quantize, serving};

/// When memory runs out, this process goes before the server and before most others.
const OOM_SCORE: &str = "800";

/// Files that may be open at once: the socket and its copies, the model, what tells of memory, and some to spare.
const OPEN_FILES: u64 = 64;

/// The same where drivers open their devices, libraries and queues.
const OPEN_FILES_OF_DRIVERS: u64 = 1_024;

/// The shortest time between two signs of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    #[error("a model worker is started by the server, not by hand")]
    Arguments(#[from] ArgumentError),
    #[error(transparent)]
    Orphan(#[from] stoa_confinement::Orphan),
    #[error("the limits cannot be set")]
    Limits(#[source] rustix::io::Errno),
    #[error("standard input is no socket")]
    Socket(#[source] std::io::Error),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the model cannot be loaded")]
    Load(#[from] LoadFailure),
    #[error("the weights cannot be packed: {0}")]
    Quantize(String),
}

/// Runs a worker with `arguments` as [`WorkerArguments::to_arguments`] writes them, and the server's socket as standard
/// input. Must be called early in `main`, before other threads and before a tracing subscriber: this sets its own,
/// which writes to standard error, where the server reads. With [`LIST_DEVICES`] alone it tells which devices there are.
pub fn run_worker(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_worker_with(arguments, || {})
}

/// The same, and calls `locked_in` between the worker's locking itself in and its reading the model. For tests, which try
/// there what no worker may do.
pub fn run_worker_with(arguments: impl IntoIterator<Item = OsString>, locked_in: impl FnOnce()) -> ExitCode {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    let _subscriber = tracing::subscriber::set_global_default(subscriber);
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|argument| argument == LIST_DEVICES).is_some() {
        return devices::tell();
    }
    let ended = if arguments.next_if(|argument| argument == QUANTIZE).is_some() {
        quantize::run(arguments, locked_in)
    } else {
        run(arguments, locked_in)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the model worker ends");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>, locked_in: impl FnOnce()) -> Result<(), WorkerError> {
    let arguments = WorkerArguments::parse(arguments)?;
    end_with_parent(arguments.parent)?;
    let files = if arguments.devices.is_empty() { OPEN_FILES } else { OPEN_FILES_OF_DRIVERS };
    Limits { files, memory: arguments.memory_bytes, ..Limits::default() }.set()?;
    let socket = std::io::stdin().as_fd().try_clone_to_owned().map_err(WorkerError::Socket)?;
    // What is read outside of the model is read before the lock.
    let threads = arguments.threads.filter(|threads| *threads > 0).unwrap_or_else(cores::usable);
    let memory = Memory::of_this_process();
    let profile = if arguments.devices.is_empty() { LockProfile::Processor } else { LockProfile::Devices };
    // Before the first thread, as Landlock and seccomp hold for the thread that asks and those that it starts.
    let confinement = confinement::lock_in(arguments.files(), None, profile);
    if confinement.is_ok() {
        locked_in();
    }
    let link = Link::start(UnixStream::from(socket))?;
    let served = confinement
        .map_err(WorkerError::Load)
        .and_then(|confinement| serve(&arguments, threads, &memory, confinement, &link));
    match served {
        Err(WorkerError::Load(failure)) => {
            link.reports.send(&Report::LoadFailed { failure: failure.clone() })?;
            Err(WorkerError::Load(failure))
        }
        ended => ended,
    }
}

fn serve(
    arguments: &WorkerArguments,
    threads: u32,
    memory: &Memory,
    confinement: Confinement,
    link: &Link,
) -> Result<(), WorkerError> {
    processor::check()?;
    let kernels = processor::choose(arguments.processor);
    link.reports.send(&Report::Hello { version: VERSION, threads, processor: kernels.to_owned() })?;

    // Dropped in the reverse order: what has a context before the model, the model before the backend.
    let given = Given::find(&arguments.devices)?;
    let mut engine = Engine::load(&arguments.model, &given, loading(link.reports.clone()))?;
    if let Some(adapter) = &arguments.adapter {
        engine.adapt(adapter)?;
    }
    let engine = engine;
    let eye =
        arguments.projector.as_deref().map(|path| engine.eye(path, threads, Arc::clone(&link.vitals))).transpose()?;
    let eye = eye.as_ref();
    let session = engine.session(
        eye,
        Room {
            context_window: arguments.context_window,
            slots: arguments.slots,
            context_bytes: arguments.context_bytes,
            free_bytes: memory.available_bytes(),
            threads,
        },
    )?;
    let window = session.context_window();
    let slots = u32::try_from(session.slots()).unwrap_or(u32::MAX);
    let preparer = engine.preparer(eye, window);
    let texts = TextQueue::new(&engine, window, threads);
    let devices = given.in_use();
    link.reports.send(&Report::Ready { context_window: window, slots, confinement, devices })?;
    serving::serve(session, texts, &preparer, eye, &given, link)?;
    Ok(())
}

/// Tells the server how far the loading has come; a server that cannot be told ends it.
fn loading(reports: Reports) -> impl FnMut(f32) -> bool + 'static {
    let mut last: Option<Instant> = None;
    move |progress| {
        if last.is_some_and(|last| last.elapsed() < PROGRESS_INTERVAL) {
            return true;
        }
        last = Some(Instant::now());
        reports.send(&Report::Loading { progress }).is_ok()
    }
}

/// What the kernel holds a worker to.
pub(crate) struct Limits {
    pub(crate) files: u64,
    /// Bytes of a file that it writes.
    pub(crate) written: u64,
    /// Bytes of address space.
    pub(crate) memory: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: OPEN_FILES, written: 0, memory: None }
    }
}

impl Limits {
    pub(crate) fn set(&self) -> Result<(), WorkerError> {
        // The one file that is written, so before anything forbids it.
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
            tracing::warn!(%error, "the worker cannot offer itself to the out-of-memory killer");
        }
        let set = |resource, maximum| {
            let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
            rustix::process::setrlimit(resource, limit).map_err(WorkerError::Limits)
        };
        // A core of gigabytes of weights helps nobody, and holds what people wrote.
        set(Resource::Core, 0)?;
        set(Resource::Nofile, self.files)?;
        set(Resource::Fsize, self.written)?;
        if let Some(bytes) = self.memory {
            set(Resource::As, bytes)?;
        }
        Ok(())
    }
}

//! A worker process seen from the server: its socket, its heartbeat, its last words.

mod last_words;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stoa_model::completion::CompletionError;
use stoa_model::image::Image;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;

use super::options::{RuntimeOptions, WorkerProgram};
use super::spawner::Spawner;
use crate::protocol::{
    Command, Confinement, Decoder, DeviceUse, FrameError, LoadFailure, Report, VERSION, WorkerArguments, encode,
    image_prefix,
};
pub(super) use last_words::LastWords;

/// A worker that loads may be silent for so long at least: the disk may be slow, and so may the start of the program.
const LOADING_SILENCE: Duration = Duration::from_secs(30);

/// How long a worker that was asked to end may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long the status of a worker that hung up is waited for.
const REAPING: Duration = Duration::from_secs(5);

const READ_BYTES: usize = 16 * 1024;

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerFault {
    #[error("it could not be started")]
    Spawn(#[source] std::io::Error),
    #[error("it could not be spoken to")]
    Socket(#[source] std::io::Error),
    #[error("it sent something unreadable")]
    Protocol(#[from] FrameError),
    #[error("it speaks version {theirs} of the worker protocol, not {VERSION}")]
    Version { theirs: u32 },
    #[error("it answered out of turn")]
    OutOfTurn,
    #[error("{failure}{}", clause(last_words))]
    Load { failure: LoadFailure, last_words: String },
    #[error("it {}{}", ending(*status), clause(last_words))]
    Died { status: Option<ExitStatus>, last_words: String },
    #[error("it gave no sign of life for {} seconds and was ended", after.as_secs_f32().ceil())]
    Hung { after: Duration },
    #[error("it made no progress for {} seconds and was ended", after.as_secs())]
    Stalled { after: Duration },
}

impl WorkerFault {
    pub(super) fn completion_error(&self) -> CompletionError {
        CompletionError::WorkerFailed { detail: self.to_string() }
    }
}

pub(super) fn clause(last_words: &str) -> String {
    if last_words.is_empty() { String::new() } else { format!(" (it said: {last_words})") }
}

pub(super) fn ending(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with code {code}"),
        Some((None, Some(9))) => "was killed, perhaps for lack of memory".to_owned(),
        Some((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "hung up".to_owned(),
    }
}

/// How much silence is allowed.
#[derive(Clone, Copy, Debug)]
struct Patience {
    hang: Duration,
    stall: Duration,
}

/// A worker that has said hello. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    decoder: Decoder,
    bytes: Vec<u8>,
    last_words: LastWords,
    patience: Patience,
    heard_at: Instant,
    ping_at: Instant,
    loaded: bool,
    /// The number of steps last told, and when it was last another one. While the model loads, when it last got on.
    progress: (u64, Instant),
    /// As the worker last told, for whoever reads figures.
    context_tokens: Arc<AtomicU64>,
    nonce: u64,
    sequence: u64,
    slots: u32,
    context_window: u32,
    confinement: Option<Confinement>,
    devices: Vec<DeviceUse>,
}

impl WorkerProcess {
    /// Starts a worker and waits until its model is loaded. `begun` learns which process it is.
    pub(super) async fn start(
        spawner: &Spawner,
        options: &RuntimeOptions,
        (program, arguments): (WorkerProgram, WorkerArguments),
        tracker: &TaskTracker,
        begun: impl FnOnce(Option<u32>),
    ) -> Result<Self, WorkerFault> {
        let started = spawner
            .spawn(program, arguments.to_arguments(), !arguments.devices.is_empty())
            .await
            .map_err(WorkerFault::Spawn)?;
        let mut child = started.child;
        begun(child.id());
        started.socket.set_nonblocking(true).map_err(WorkerFault::Socket)?;
        let (reader, writer) = UnixStream::from_std(started.socket).map_err(WorkerFault::Socket)?.into_split();
        let last_words = LastWords::listen(child.stderr.take(), tracker);
        let now = Instant::now();
        let loading = Patience { hang: options.hang_timeout.max(LOADING_SILENCE), stall: options.load_timeout };
        let mut worker = Self {
            child,
            reader,
            writer,
            decoder: Decoder::default(),
            bytes: Vec::with_capacity(READ_BYTES),
            last_words,
            patience: loading,
            heard_at: now,
            ping_at: now + loading.hang / 4,
            loaded: false,
            progress: (0, now),
            context_tokens: Arc::default(),
            nonce: 0,
            sequence: 0,
            slots: 1,
            context_window: 0,
            confinement: None,
            devices: Vec::new(),
        };
        worker.load().await?;
        worker.loaded = true;
        worker.patience = Patience { hang: options.hang_timeout, stall: options.stall_timeout };
        worker.ping_at = Instant::now() + options.hang_timeout / 4;
        Ok(worker)
    }

    async fn load(&mut self) -> Result<(), WorkerFault> {
        self.send(&Command::Hello { version: VERSION }).await?;
        let mut greeted = false;
        loop {
            let deadline = self.progress.1 + self.patience.stall;
            let report = match tokio::time::timeout_at(deadline, self.next_report()).await {
                Ok(report) => report?,
                Err(_) => return Err(self.kill(WorkerFault::Stalled { after: self.patience.stall }).await),
            };
            match report {
                Report::Hello { version: VERSION, threads, processor } => {
                    tracing::debug!(threads, processor, "a model worker says hello");
                    greeted = true;
                }
                Report::Hello { version: theirs, .. } => {
                    return Err(self.kill(WorkerFault::Version { theirs }).await);
                }
                Report::Loading { .. } if greeted => self.progress.1 = Instant::now(),
                Report::Ready { context_window, slots, confinement, devices } if greeted => {
                    self.progress.1 = Instant::now();
                    self.confinement = Some(confinement);
                    self.devices = devices;
                    self.slots = slots.max(1);
                    self.context_window = context_window;
                    return Ok(());
                }
                Report::LoadFailed { failure } => {
                    let last_words = self.last_words().await;
                    return Err(self.kill(WorkerFault::Load { failure, last_words }).await);
                }
                _ => return Err(self.kill(WorkerFault::OutOfTurn).await),
            }
        }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sequences that it runs at once.
    pub(super) fn slots(&self) -> usize {
        usize::try_from(self.slots).unwrap_or(usize::MAX)
    }

    /// Tokens that each of them may have.
    pub(super) const fn context_window(&self) -> u32 {
        self.context_window
    }

    /// How it has locked itself in, once it is loaded.
    pub(super) fn context_tokens(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.context_tokens)
    }

    pub(super) const fn confinement(&self) -> Option<Confinement> {
        self.confinement
    }

    /// What it had on devices when it was loaded.
    pub(super) fn devices(&self) -> &[DeviceUse] {
        &self.devices
    }

    /// A number that no sequence of this worker has had.
    pub(super) const fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Sends the images of a submission, and then the submission.
    pub(super) async fn send_with(&mut self, images: &[Image], command: &Command) -> Result<(), WorkerFault> {
        for image in images {
            self.write(&image_prefix(image.bytes())?).await?;
            self.write(image.bytes()).await?;
        }
        self.send(command).await
    }

    /// Sends a command. A worker that does not take it in time is hung.
    pub(super) async fn send(&mut self, command: &Command) -> Result<(), WorkerFault> {
        self.write(&encode(command)?).await?;
        if matches!(command, Command::Submit(_) | Command::Embed { .. } | Command::Rerank { .. }) {
            self.progress.1 = Instant::now();
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), WorkerFault> {
        match timeout(self.patience.hang, self.writer.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.died().await),
            Err(_) => Err(self.kill(WorkerFault::Hung { after: self.patience.hang }).await),
        }
    }

    pub(super) async fn cancel(&mut self, sequence: u64) -> Result<(), WorkerFault> {
        self.send(&Command::Cancel { sequence }).await
    }

    /// The next report that is not a sign of life. Meanwhile the worker is watched: one that is silent for too long, or
    /// busy without getting anywhere, is killed. Nothing is lost when the future is dropped.
    pub(super) async fn next_report(&mut self) -> Result<Report, WorkerFault> {
        loop {
            while let Some(report) = self.decoder.next_message()? {
                match report {
                    Report::Pong { steps, busy, context_tokens, .. } => {
                        self.note(steps, busy);
                        self.context_tokens.store(context_tokens, Ordering::Relaxed);
                    }
                    report => return Ok(report),
                }
            }
            tokio::select! {
                read = self.reader.read_buf(&mut self.bytes) => match read {
                    Ok(0) | Err(_) => return Err(self.died().await),
                    Ok(_) => {
                        self.decoder.push(&self.bytes);
                        self.bytes.clear();
                        self.heard_at = Instant::now();
                    }
                },
                () = sleep_until(self.ping_at) => self.watch().await?,
            }
        }
    }

    fn note(&mut self, steps: u64, busy: bool) {
        if self.loaded && (!busy || steps != self.progress.0) {
            self.progress = (steps, Instant::now());
        }
    }

    async fn watch(&mut self) -> Result<(), WorkerFault> {
        let Patience { hang, stall } = self.patience;
        if self.heard_at.elapsed() >= hang {
            return Err(self.kill(WorkerFault::Hung { after: hang }).await);
        }
        if self.progress.1.elapsed() >= stall {
            return Err(self.kill(WorkerFault::Stalled { after: stall }).await);
        }
        self.ping_at = Instant::now() + hang / 4;
        self.nonce += 1;
        self.send(&Command::Ping { nonce: self.nonce }).await
    }

    /// Ends the process and waits for its end, so that its memory is free. Works on a stopped process, too.
    async fn kill(&mut self, fault: WorkerFault) -> WorkerFault {
        let _ = timeout(REAPING, self.child.kill()).await;
        fault
    }

    async fn died(&mut self) -> WorkerFault {
        let status = if let Ok(status) = timeout(FAREWELL, self.child.wait()).await {
            status.ok()
        } else {
            // It closed its socket but lives on.
            let _ = timeout(REAPING, self.child.kill()).await;
            None
        };
        WorkerFault::Died { status, last_words: self.last_words().await }
    }

    async fn last_words(&mut self) -> String {
        self.last_words.take().await
    }

    /// Asks the worker to end, and ends it when it does not.
    pub(super) async fn shut_down(mut self) {
        if self.send(&Command::Shutdown).await.is_ok() && timeout(FAREWELL, self.child.wait()).await.is_ok() {
            return;
        }
        let _ = timeout(REAPING, self.child.kill()).await;
    }
}

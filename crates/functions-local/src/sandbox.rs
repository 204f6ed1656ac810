//! One sandbox: made, talked to, and ended with all that is in it.

mod arguments;
mod link;

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_confinement::Landlock;
use stoa_functions::{LogRing, Stream};
use stoa_functions_init::packets;
use stoa_functions_init::protocol::{Become, Claim, Failure, Notice, Order, Plan};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::Channel;
use crate::groups::Group;
use crate::host::Host;
use crate::output::{self, Log};
use crate::users::User;
use crate::ways::Ways;

pub(crate) use arguments::Volume;
pub(crate) use link::{Gone, Link};

/// How long the host may take to make a sandbox.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long processes may take to stand still. Only those that wait for a disk take any time.
const TO_FREEZE: Duration = Duration::from_secs(10);

/// How long it may take to read what it wrote last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Of the log, what an error shows.
const TAIL_LINES: usize = 20;

pub(crate) struct Request {
    /// Unique among those of this engine.
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) code: OwnedFd,
    pub(crate) volumes: Vec<Volume>,
    /// Who it is, where whoever asks has taken one already.
    pub(crate) user: Option<User>,
    /// What fits into `/tmp`.
    pub(crate) disk_bytes: u64,
    pub(crate) memory_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("it ended before it was locked: {log}")]
    Ended { log: String },
    #[error("there is no user left for another instance")]
    NoUser,
}

pub(crate) struct Sandbox {
    pub(crate) name: String,
    pub(crate) link: Arc<Link>,
    pub(crate) log: Log,
    pub(crate) group: Arc<Group>,
    pub(crate) landlock: Landlock,
    pub(crate) locked_after: Duration,
    pub(crate) started_after: Duration,
    notices: AsyncMutex<mpsc::Receiver<(Notice, Option<TcpStream>)>>,
    /// Until somebody looks after them.
    outward: Mutex<Option<mpsc::Receiver<(u16, TcpStream)>>>,
    /// Cancelled as it ends.
    over: CancellationToken,
    parts: Mutex<Option<Parts>>,
    host: Arc<Host>,
}

/// What its end takes away.
struct Parts {
    child: Child,
    /// Those who read what it writes.
    written: TaskTracker,
    _user: Option<User>,
}

impl Sandbox {
    /// Returns when the command of the plan runs, behind its lock.
    pub(crate) async fn make(host: &Arc<Host>, mut request: Request) -> Result<Self, MakeError> {
        let began = Instant::now();
        let user = match (request.user.take(), &host.users) {
            (None, Some(users)) => Some(users.take().ok_or(MakeError::NoUser)?),
            (taken, _) => taken,
        };
        let group = Arc::new(host.groups.make_group(&request.name)?);
        let (socket, theirs) = packets::pair()?;
        let spawned = spawn(host, theirs).await;
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let _ = group.remove().await;
                return Err(error.into());
            }
        };
        let log: Log = Arc::new(Mutex::new(LogRing::new(host.options.log_bytes)));
        let written = TaskTracker::new();
        if let Some(output) = child.stdout.take() {
            written.spawn(output::keep(output, Stream::Output, Arc::clone(&log), Arc::clone(&host.clock)));
        }
        if let Some(output) = child.stderr.take() {
            written.spawn(output::keep(output, Stream::Error, Arc::clone(&log), Arc::clone(&host.clock)));
        }
        let user_id = user.as_ref().map(|user| user.id);
        let process = child.id().unwrap_or(0);
        let (link, received) = Link::start(Channel::new(socket)?, &host.tracker);
        let mut sandbox = Self {
            name: request.name.clone(),
            link,
            log,
            group,
            landlock: Landlock::Absent,
            locked_after: Duration::ZERO,
            started_after: Duration::ZERO,
            notices: AsyncMutex::new(received.notices),
            outward: Mutex::new(Some(received.outward)),
            over: CancellationToken::new(),
            parts: Mutex::new(Some(Parts { child, written, _user: user })),
            host: Arc::clone(host),
        };
        let outcome = tokio::time::timeout(PATIENCE, sandbox.begin(process, user_id, request, began)).await;
        match outcome {
            Ok(Ok(())) => Ok(sandbox),
            Ok(Err(error)) => {
                sandbox.end().await;
                // What the programs said of it has come by now.
                Err(match error {
                    MakeError::Ended { .. } => MakeError::Ended { log: sandbox.tail() },
                    error => error,
                })
            }
            Err(_) => {
                sandbox.end().await;
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
        }
    }

    async fn begin(
        &mut self,
        process: u32,
        user: Option<u32>,
        request: Request,
        began: Instant,
    ) -> Result<(), MakeError> {
        self.host.home.record_process(&self.name, process)?;
        self.group.limit_memory(request.memory_bytes)?;
        self.group.limit_processes(self.host.options.processes)?;
        self.group.join(process)?;
        let (arguments, descriptors) = arguments::bubblewrap(&self.host, &request);
        let order = Become { program: self.host.options.bwrap.clone(), arguments, user };
        self.link.channel.send(&order, &descriptors).await?;
        self.link.channel.send_with_file(&Order::Start, &request.plan).await?;
        match self.notice().await {
            Some((Notice::Locked { landlock }, _)) => self.landlock = landlock,
            Some((Notice::Failed { failure }, _)) => return Err(failure.into()),
            _ => return Err(MakeError::Ended { log: String::new() }),
        }
        self.locked_after = began.elapsed();
        self.expect_start().await?;
        self.started_after = began.elapsed();
        Ok(())
    }

    async fn expect_start(&self) -> Result<(), MakeError> {
        match self.notice().await {
            Some((Notice::Started, _)) => Ok(()),
            Some((Notice::Failed { failure }, _)) => Err(failure.into()),
            _ => Err(MakeError::Ended { log: String::new() }),
        }
    }

    /// Gives a waiting interpreter its code and the limits of the version.
    pub(crate) async fn claim(&self, claim: &Claim, memory_bytes: u64) -> Result<(), MakeError> {
        self.group.limit_memory(memory_bytes)?;
        self.link.channel.send_with_file(&Order::Claim, claim).await?;
        self.expect_start().await
    }

    /// Returns when the port answers, with the connection that found out; none when it never will.
    pub(crate) async fn listening(&self) -> Option<TcpStream> {
        loop {
            if let (Notice::Listening, Some(connection)) = self.notice().await? {
                return Some(connection);
            }
        }
    }

    pub(crate) async fn freeze(&self) -> io::Result<()> {
        if !self.group.freezes() {
            return self.signal_all(&Order::Stop).await;
        }
        match tokio::time::timeout(TO_FREEZE, self.group.freeze()).await {
            Ok(frozen) => frozen,
            // Rather running than half frozen.
            Err(_) => self.group.thaw().and(Err(io::ErrorKind::TimedOut.into())),
        }
    }

    pub(crate) async fn thaw(&self) -> io::Result<()> {
        if self.group.freezes() {
            return self.group.thaw();
        }
        self.signal_all(&Order::Continue).await
    }

    async fn signal_all(&self, order: &Order) -> io::Result<()> {
        self.link.channel.send(order, &[]).await?;
        loop {
            match self.notice().await {
                Some((Notice::Done, _)) => return Ok(()),
                Some(_) => {}
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }

    async fn notice(&self) -> Option<(Notice, Option<TcpStream>)> {
        self.notices.lock().await.recv().await
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.link.is_alive()
    }

    pub(crate) fn tail(&self) -> String {
        output::locked(&self.log).tail(TAIL_LINES)
    }

    /// What connects to its doors goes the way that `ways` say, until it ends. The first call counts.
    pub(crate) fn let_out(&self, ways: Ways) {
        let outward = self.outward.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(outward) = outward {
            self.host.tracker.spawn(ways.serve(outward, self.over.clone()));
        }
    }

    /// Kills everything in it and takes away what it was made of. Again is nothing.
    pub(crate) async fn end(&self) {
        let parts = self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(mut parts) = parts else { return };
        self.over.cancel();
        // With its monitor, the first process in it is killed, and with that all others.
        let killed = parts.child.kill().await;
        let removed = self.group.remove().await;
        // What it wrote last is in its log. Whoever wrote too much to be read by now has lost it.
        parts.written.close();
        let _ = tokio::time::timeout(LAST_WORDS, parts.written.wait()).await;
        self.host.home.forget_process(&self.name);
        let folder = self.folder();
        if folder.exists() {
            let _ = std::fs::remove_dir_all(folder);
        }
        for error in [killed.err(), removed.err()].into_iter().flatten() {
            tracing::warn!(%error, sandbox = self.name, "a sandbox has not ended as it should");
        }
    }

    /// On the host, for code that comes later.
    pub(crate) fn folder(&self) -> PathBuf {
        self.host.home.instances().join(&self.name)
    }
}

/// From the one thread that lives as long as the engine.
async fn spawn(host: &Host, socket: OwnedFd) -> io::Result<Child> {
    // What was opened at the start, whatever has come into its place since.
    let mut command = Command::new(format!("/proc/self/fd/{}", host.init.as_raw_fd()));
    command
        .arg(stoa_functions_init::OUTER)
        .arg(std::process::id().to_string())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let handle = tokio::runtime::Handle::current();
    let (answer, answered) = oneshot::channel();
    let job = move || {
        let _runtime = handle.enter();
        // Whoever asked may be gone; the process then ends as it is dropped.
        let _ = answer.send(command.spawn());
    };
    host.spawner.run(job).map_err(io::Error::other)?;
    answered.await.map_err(io::Error::other)?
}

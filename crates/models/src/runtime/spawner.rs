//! Starts workers, from the one thread that lives as long as the runtime of the models.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::environment;
use super::options::WorkerProgram;

#[derive(Clone, Debug)]
pub(super) struct Spawner {
    /// In which the processes are watched over.
    runtime: Handle,
    thread: stoa_confinement::Spawner,
}

/// A started process and the server's end of its socket.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) child: Child,
    pub(super) socket: UnixStream,
}

impl Spawner {
    /// Must be called inside a tokio runtime, which then watches over the processes.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self { runtime: Handle::current(), thread: stoa_confinement::Spawner::start("model-spawner")? })
    }

    /// Drivers need more of the environment than computing does.
    pub(super) async fn spawn(
        &self,
        program: WorkerProgram,
        arguments: Vec<OsString>,
        drivers: bool,
    ) -> io::Result<Spawned> {
        let (answer, answered) = oneshot::channel();
        let runtime = self.runtime.clone();
        let job = move || {
            let _runtime = runtime.enter();
            // Whoever asked may be gone; the process then ends as it is dropped.
            let _ = answer.send(spawn(&program, &arguments, drivers));
        };
        self.thread.run(job).map_err(io::Error::other)?;
        answered.await.map_err(io::Error::other)?
    }
}

fn spawn(program: &WorkerProgram, arguments: &[OsString], drivers: bool) -> io::Result<Spawned> {
    let (socket, theirs) = UnixStream::pair()?;
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal goes to the server, which then ends its workers in order.
        .process_group(0)
        .kill_on_drop(true);
    environment::clean(&mut command, drivers);
    let child = command.spawn()?;
    Ok(Spawned { child, socket })
}

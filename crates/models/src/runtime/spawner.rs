//! The one thread that starts workers.
//!
//! A worker asks to be killed when its parent dies, and by that Linux means the thread that started it. A thread of the
//! async runtime may end at any time; this one lives as long as the runtime of the models.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::environment;
use super::options::WorkerProgram;

#[derive(Clone, Debug)]
pub(super) struct Spawner {
    requests: Sender<Request>,
}

/// A started process and the server's end of its socket.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) child: Child,
    pub(super) socket: UnixStream,
}

struct Request {
    program: WorkerProgram,
    arguments: Vec<OsString>,
    /// Drivers need more of the environment than computing does.
    drivers: bool,
    answer: oneshot::Sender<io::Result<Spawned>>,
}

impl Spawner {
    /// Must be called inside a tokio runtime, which then watches over the processes.
    pub(super) fn start() -> io::Result<Self> {
        let handle = Handle::current();
        let (requests, received) = channel::<Request>();
        thread::Builder::new().name("model-spawner".to_owned()).spawn(move || {
            let _runtime = handle.enter();
            while let Ok(request) = received.recv() {
                // Whoever asked may be gone; the process then ends as it is dropped.
                let spawned = spawn(&request);
                let _ = request.answer.send(spawned);
            }
        })?;
        Ok(Self { requests })
    }

    pub(super) async fn spawn(
        &self,
        program: WorkerProgram,
        arguments: Vec<OsString>,
        drivers: bool,
    ) -> io::Result<Spawned> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts workers is gone");
        self.requests.send(Request { program, arguments, drivers, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(Request { program, arguments, drivers, .. }: &Request) -> io::Result<Spawned> {
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
    environment::clean(&mut command, *drivers);
    let child = command.spawn()?;
    Ok(Spawned { child, socket })
}

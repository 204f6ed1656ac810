//! The conversation with the first process of a sandbox: who waits for which answer.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};
use stoa_functions_init::protocol::{Ended, Hook, Notice, Order};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::channel::Channel;

pub(crate) struct Link {
    pub(crate) channel: Channel,
    waiting: Mutex<Waiting>,
    gone: watch::Sender<Option<Gone>>,
}

/// How the function ended; nothing known when the sandbox was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone(pub(crate) Option<Ended>);

/// What is no answer.
pub(crate) struct Received {
    pub(crate) notices: mpsc::Receiver<(Notice, Option<TcpStream>)>,
    /// Connections to ports that lead out.
    pub(crate) outward: mpsc::Receiver<(u16, TcpStream)>,
}

/// Connections that nobody has looked at yet.
const WAITING_TO_LEAVE: usize = 64;

#[derive(Default)]
struct Waiting {
    last: u64,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
}

enum Answer {
    Connected(TcpStream),
    NotConnected(i32),
    Ended(Ended),
}

impl Link {
    /// Listens until the sandbox ends. What is no answer comes out of the receivers.
    pub(crate) fn start(channel: Channel, tracker: &TaskTracker) -> (Arc<Self>, Received) {
        let link = Arc::new(Self { channel, waiting: Mutex::default(), gone: watch::Sender::new(None) });
        let (notices, remarks) = mpsc::channel(16);
        let (outward, leaving) = mpsc::channel(WAITING_TO_LEAVE);
        let listening = Arc::clone(&link);
        tracker.spawn(async move { listening.listen(notices, outward).await });
        (link, Received { notices: remarks, outward: leaving })
    }

    async fn listen(
        &self,
        notices: mpsc::Sender<(Notice, Option<TcpStream>)>,
        outward: mpsc::Sender<(u16, TcpStream)>,
    ) {
        let mut ended = None;
        while let Ok(Some((notice, descriptor))) = self.channel.next().await {
            let connection = descriptor.map(connection).and_then(Result::ok);
            match notice {
                Notice::Connected { ticket } => {
                    let answer =
                        connection.map_or(Answer::NotConnected(Errno::INVAL.raw_os_error()), Answer::Connected);
                    self.answer(ticket, answer);
                }
                Notice::NotConnected { ticket, errno } => self.answer(ticket, Answer::NotConnected(errno)),
                Notice::HookEnded { ticket, ended } => self.answer(ticket, Answer::Ended(ended)),
                Notice::Exited { ended: how } => {
                    ended = Some(how);
                    break;
                }
                // Too many at once are closed as they are dropped.
                Notice::Outward { port } => {
                    let _ = connection.map(|connection| outward.try_send((port, connection)));
                }
                // The first process says but a handful of these, and never waits for one to be read.
                notice => drop(notices.try_send((notice, connection))),
            }
        }
        self.gone.send_replace(Some(Gone(ended)));
        // Whoever waits for an answer waits no longer.
        self.waiting().answers.clear();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, ticket: u64, answer: Answer) {
        if let Some(waiting) = self.waiting().answers.remove(&ticket) {
            // Whoever asked may have gone.
            let _ = waiting.send(answer);
        }
    }

    fn ticket(&self) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.last += 1;
        let ticket = waiting.last;
        waiting.answers.insert(ticket, answer);
        (ticket, answered)
    }

    async fn ask(&self, order: &Order, answered: oneshot::Receiver<Answer>) -> io::Result<Answer> {
        self.channel.send(order, &[]).await?;
        if !self.is_alive() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        answered.await.map_err(|_| io::ErrorKind::NotConnected.into())
    }

    /// A connection to the function's port.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let (ticket, answered) = self.ticket();
        match self.ask(&Order::Connect { ticket }, answered).await? {
            Answer::Connected(connection) => Ok(connection),
            Answer::NotConnected(errno) => Err(io::Error::from_raw_os_error(errno)),
            Answer::Ended(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Runs a command beside the function's own, to its end.
    pub(crate) async fn hook(&self, command: &[String], limit: Duration) -> io::Result<Ended> {
        let (hook, answered) = self.new_hook(command, limit);
        ended(&self.ask(&Order::Hook(hook), answered).await?)
    }

    /// Asks the function to end, and runs the hook while it does.
    pub(crate) async fn terminate(&self, hook: Option<(&[String], Duration)>) -> io::Result<Option<Ended>> {
        let Some((command, limit)) = hook else {
            self.channel.send(&Order::Terminate { hook: None }, &[]).await?;
            return Ok(None);
        };
        let (hook, answered) = self.new_hook(command, limit);
        ended(&self.ask(&Order::Terminate { hook: Some(hook) }, answered).await?).map(Some)
    }

    fn new_hook(&self, command: &[String], limit: Duration) -> (Hook, oneshot::Receiver<Answer>) {
        let (ticket, answered) = self.ticket();
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        (Hook { ticket, command: command.to_owned(), limit_ms }, answered)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.gone.borrow().is_none()
    }

    /// Returns when the function has ended, or its sandbox.
    pub(crate) async fn gone(&self) -> Gone {
        let mut gone = self.gone.subscribe();
        let waited = gone.wait_for(Option::is_some).await.ok().and_then(|gone| *gone);
        waited.unwrap_or(Gone(None))
    }
}

fn ended(answer: &Answer) -> io::Result<Ended> {
    match answer {
        Answer::Ended(ended) => Ok(*ended),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Only what it must be is taken.
fn connection(descriptor: OwnedFd) -> io::Result<TcpStream> {
    let is_stream = sockopt::socket_type(&descriptor)? == SocketType::STREAM;
    let to = rustix::net::getpeername(&descriptor)?;
    let is_local = to.and_then(|to| std::net::SocketAddr::try_from(to).ok()).is_some_and(|to| to.ip().is_loopback());
    if !is_stream || !is_local {
        return Err(io::ErrorKind::InvalidData.into());
    }
    rustix::io::ioctl_fionbio(&descriptor, true)?;
    TcpStream::from_std(descriptor.into())
}

//! Process 1 of the sandbox: locks itself in, starts the function, and serves the engine until one of them ends.

mod connections;
mod doors;
mod processes;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::de::DeserializeOwned;

use crate::protocol::{Claim, Ended, Failure, Hook, MAX_PLAN_BYTES, Notice, Order, Plan};
use crate::{confine, packets, raw};
use connections::Connections;
use doors::Doors;
use processes::Processes;

/// Why the sandbox ends, where the function did not.
#[derive(Debug, thiserror::Error)]
enum InnerError {
    #[error("the socket to the engine failed")]
    Socket(#[from] io::Error),
    #[error("nothing has been started: {0}")]
    NotStarted(#[from] Failure),
}

pub(crate) fn run() -> ExitCode {
    match serve() {
        // As the engine hung up, or after it was told how the function ended.
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), InnerError> {
    raw::close_from(crate::FIRST_DESCRIPTOR)?;
    let engine = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3).map_err(io::Error::from)?;
    // From here on, standard input is nothing.
    let nothing = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing).map_err(io::Error::from)?;
    let Some((order, descriptors)) = packets::receive::<Order>(&engine)? else { return Ok(()) };
    let prepared = match order {
        Order::Start => read::<Plan>(descriptors).and_then(|plan| {
            let landlock = confine::lock(&plan)?;
            Ok((plan, landlock))
        }),
        _ => Err(Failure::Plan),
    };
    let begun = prepared.and_then(|(plan, landlock)| {
        let _ = packets::send(&engine, &Notice::Locked { landlock }, &[]);
        let signals = raw::child_signals().map_err(|error| Failure::Lock { detail: error.to_string() })?;
        let doors = Doors::open(&plan.doors)?;
        let processes = Processes::start(&plan)?;
        let connections = Connections::waiting_for(plan.port);
        Ok(Inner { engine: &engine, signals, processes, connections, doors, plan: &plan }.serve())
    });
    match begun {
        Ok(served) => served,
        Err(failure) => {
            packets::send(&engine, &Notice::Failed { failure: failure.clone() }, &[])?;
            Err(failure.into())
        }
    }
}

/// The file that came with a packet.
fn read<T: DeserializeOwned>(descriptors: Vec<OwnedFd>) -> Result<T, Failure> {
    let file = descriptors.into_iter().next().ok_or(Failure::Plan)?;
    let mut text = Vec::new();
    File::from(file).take(MAX_PLAN_BYTES).read_to_end(&mut text).map_err(|_| Failure::Plan)?;
    serde_json::from_slice(&text).map_err(|_| Failure::Plan)
}

struct Inner<'i> {
    engine: &'i OwnedFd,
    signals: OwnedFd,
    processes: Processes,
    connections: Connections,
    doors: Doors,
    plan: &'i Plan,
}

impl Inner<'_> {
    fn serve(mut self) -> Result<(), InnerError> {
        self.tell(&Notice::Started, &[])?;
        loop {
            let now = Instant::now();
            for (notice, connection) in self.connections.take_settled(now) {
                let connection = connection.as_ref().map(|connection| connection.as_fd());
                self.tell(&notice, connection.as_slice())?;
            }
            self.processes.kill_overdue(now);
            let (orders, children) = self.wait()?;
            for (port, connection) in self.doors.take() {
                self.hand_out(port, &connection)?;
            }
            if children {
                self.drain_signals();
                for notice in self.processes.reap() {
                    self.tell(&notice, &[])?;
                    if matches!(notice, Notice::Exited { .. }) {
                        return Ok(());
                    }
                }
            }
            if orders {
                let Some((order, descriptors)) = packets::receive::<Order>(self.engine)? else { return Ok(()) };
                self.obey(order, descriptors)?;
            }
        }
    }

    /// Until there is something to do. Says whether an order came and whether a child changed.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let mut watched = vec![PollFd::new(self.engine, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        watched.extend(self.doors.watched().map(|door| PollFd::from_borrowed_fd(door, PollFlags::IN)));
        watched.extend(self.connections.pending().map(|pending| PollFd::from_borrowed_fd(pending, PollFlags::OUT)));
        let next = [self.connections.next(), self.processes.next()].into_iter().flatten().min();
        let timeout = next.map(|next| timespec(next.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut watched, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok((false, false)),
            Err(error) => return Err(error.into()),
        }
        let ready = |place: usize| watched.get(place).is_some_and(|watched| !watched.revents().is_empty());
        Ok((ready(0), ready(1)))
    }

    fn drain_signals(&self) {
        let mut many = [0; 4096];
        while rustix::io::read(&self.signals, &mut many).is_ok_and(|read| read > 0) {}
    }

    fn obey(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> Result<(), InnerError> {
        match order {
            // Once is enough.
            Order::Start => Ok(()),
            Order::Claim => {
                let claimed = read::<Claim>(descriptors).and_then(|claim| {
                    let doors = Doors::open(&claim.doors)?;
                    self.processes.claim(&claim)?;
                    Ok((claim.port, doors))
                });
                match claimed {
                    Ok((port, doors)) => {
                        self.doors = doors;
                        self.connections = Connections::waiting_for(Some(port));
                        self.tell(&Notice::Started, &[])
                    }
                    Err(failure) => self.tell(&Notice::Failed { failure }, &[]),
                }
            }
            Order::Connect { ticket } => {
                self.connections.open(ticket);
                Ok(())
            }
            Order::Hook(hook) => self.start(&hook),
            Order::Terminate { hook } => {
                self.processes.terminate();
                hook.map_or(Ok(()), |hook| self.start(&hook))
            }
            Order::Stop => {
                raw::signal_all(libc::SIGSTOP);
                self.tell(&Notice::Done, &[])
            }
            Order::Continue => {
                raw::signal_all(libc::SIGCONT);
                self.tell(&Notice::Done, &[])
            }
        }
    }

    fn start(&mut self, hook: &Hook) -> Result<(), InnerError> {
        let Err(errno) = self.processes.start_hook(self.plan, hook) else { return Ok(()) };
        self.tell(&Notice::HookEnded { ticket: hook.ticket, ended: Ended::NotStarted { errno } }, &[])
    }

    fn hand_out(&self, port: u16, connection: &OwnedFd) -> Result<(), InnerError> {
        match packets::send(self.engine, &Notice::Outward { port }, &[connection.as_fd()]) {
            // More descriptors of this user are on their way than may be. This connection ends.
            Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => Ok(()),
            sent => sent.map_err(Into::into),
        }
    }

    fn tell(&self, notice: &Notice, connection: &[BorrowedFd<'_>]) -> Result<(), InnerError> {
        packets::send(self.engine, notice, connection).map_err(Into::into)
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

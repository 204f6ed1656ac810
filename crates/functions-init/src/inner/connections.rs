//! Connections to the function's port, made in the sandbox's network and handed out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::protocol::Notice;

/// How often a port is tried that does not answer yet: often while most interpreters start, then as they say that one does.
const OFTEN: Duration = Duration::from_millis(2);
const OFTEN_FOR: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_millis(10);

/// A connection within one machine that takes longer waits for a program that does not accept.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Connections {
    port: Option<u16>,
    listening: Waiting,
    pending: Vec<Pending>,
    settled: Vec<(Notice, Option<OwnedFd>)>,
}

#[derive(Clone, Copy)]
enum Waiting {
    /// Since when, and when it is tried again.
    For {
        since: Instant,
        next: Instant,
    },
    Over,
}

struct Pending {
    /// None for the try that finds out whether anybody listens.
    ticket: Option<u64>,
    socket: OwnedFd,
    until: Instant,
}

impl Connections {
    pub(crate) fn waiting_for(port: Option<u16>) -> Self {
        let now = Instant::now();
        let listening = if port.is_some() { Waiting::For { since: now, next: now } } else { Waiting::Over };
        Self { port, listening, pending: Vec::new(), settled: Vec::new() }
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pending.iter().map(|pending| pending.socket.as_fd())
    }

    /// When something is due though nothing came.
    pub(crate) fn next(&self) -> Option<Instant> {
        let tried = match self.listening {
            Waiting::For { next, .. } => Some(next),
            Waiting::Over => None,
        };
        self.pending.iter().map(|pending| pending.until).chain(tried).min()
    }

    pub(crate) fn open(&mut self, ticket: u64) {
        self.begin(Some(ticket));
    }

    /// What has come of connections since the last time.
    pub(crate) fn take_settled(&mut self, now: Instant) -> Vec<(Notice, Option<OwnedFd>)> {
        if let Waiting::For { since, next } = self.listening
            && now >= next
            && !self.pending.iter().any(|pending| pending.ticket.is_none())
        {
            let pause = if now.duration_since(since) < OFTEN_FOR { OFTEN } else { SELDOM };
            self.listening = Waiting::For { since, next: now + pause };
            self.begin(None);
        }
        for Pending { ticket, socket, until } in std::mem::take(&mut self.pending) {
            match state(&socket) {
                Ok(true) => self.settle(ticket, Ok(socket)),
                Ok(false) if now < until => self.pending.push(Pending { ticket, socket, until }),
                Ok(false) => self.settle(ticket, Err(Errno::TIMEDOUT)),
                Err(error) => self.settle(ticket, Err(error)),
            }
        }
        std::mem::take(&mut self.settled)
    }

    fn begin(&mut self, ticket: Option<u64>) {
        let Some(port) = self.port else {
            self.settle(ticket, Err(Errno::ADDRNOTAVAIL));
            return;
        };
        match connect(port) {
            Ok((socket, true)) => self.settle(ticket, Ok(socket)),
            Ok((socket, false)) => self.pending.push(Pending { ticket, socket, until: Instant::now() + PATIENCE }),
            Err(error) => self.settle(ticket, Err(error)),
        }
    }

    fn settle(&mut self, ticket: Option<u64>, outcome: Result<OwnedFd, Errno>) {
        let settled = match (ticket, outcome) {
            (Some(ticket), Ok(socket)) => (Notice::Connected { ticket }, Some(socket)),
            (Some(ticket), Err(error)) => (Notice::NotConnected { ticket, errno: error.raw_os_error() }, None),
            (None, Ok(socket)) => {
                self.listening = Waiting::Over;
                (Notice::Listening, Some(socket))
            }
            // Tried again.
            (None, Err(_)) => return,
        };
        self.settled.push(settled);
    }
}

/// A connection to the port, and whether it is there already.
fn connect(port: u16) -> Result<(OwnedFd, bool), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(()) if is_itself(&socket) => Err(Errno::CONNREFUSED),
        Ok(()) => Ok((socket, true)),
        Err(Errno::INPROGRESS) => Ok((socket, false)),
        Err(error) => Err(error),
    }
}

/// A port among those that are given out for connections can be connected with itself while nobody listens.
fn is_itself(socket: &OwnedFd) -> bool {
    let (here, there) = (rustix::net::getsockname(socket), rustix::net::getpeername(socket));
    matches!((here, there), (Ok(here), Ok(Some(there))) if here == there)
}

/// Whether it is connected by now.
fn state(socket: &OwnedFd) -> Result<bool, Errno> {
    sockopt::socket_error(socket)??;
    match rustix::net::getpeername(socket) {
        Ok(_) if is_itself(socket) => Err(Errno::CONNREFUSED),
        Ok(_) => Ok(true),
        Err(Errno::NOTCONN) => Ok(false),
        Err(error) => Err(error),
    }
}

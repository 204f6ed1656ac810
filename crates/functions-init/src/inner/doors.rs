//! Ports of the sandbox's network behind which the way out is. What connects to them is handed to the engine.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::protocol::Failure;

/// Connections that wait until they are handed out.
const BACKLOG: i32 = 128;

#[derive(Default)]
pub(crate) struct Doors {
    open: Vec<(u16, OwnedFd)>,
}

impl Doors {
    /// Before the function runs, so that nobody else has the ports.
    pub(crate) fn open(ports: &[u16]) -> Result<Self, Failure> {
        let door = |port: &u16| {
            let socket = listen(*port);
            socket
                .map(|socket| (*port, socket))
                .map_err(|error| Failure::Door { port: *port, errno: error.raw_os_error() })
        };
        Ok(Self { open: ports.iter().map(door).collect::<Result<_, _>>()? })
    }

    pub(crate) fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.open.iter().map(|(_, socket)| socket.as_fd())
    }

    /// One connection at most of each, so that orders are not kept waiting by many.
    pub(crate) fn take(&self) -> Vec<(u16, OwnedFd)> {
        let accept = |(port, door): &(u16, OwnedFd)| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // Nobody is there, or not any more.
            rustix::net::accept_with(door, flags).ok().map(|connection| (*port, connection))
        };
        self.open.iter().filter_map(accept).collect()
    }
}

fn listen(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

//! The engine's end of the socket to the first process of a sandbox.

use std::io;
use std::io::{Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use serde::Serialize;
use stoa_functions_init::packets;
use stoa_functions_init::protocol::Notice;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Whoever does not take a packet within this is stuck, and the sandbox ends.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Channel {
    socket: UnixDatagram,
}

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // It keeps packets apart like one of these, and says when it is hung up besides.
        Ok(Self { socket: UnixDatagram::from_std(socket.into())? })
    }

    pub(crate) async fn send(&self, packet: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let send = self.socket.async_io(Interest::WRITABLE, || packets::send(&self.socket, packet, descriptors));
        tokio::time::timeout(PATIENCE, send).await?
    }

    /// With a file that holds what is too large for a packet, or for nobody else to see.
    pub(crate) async fn send_with_file(&self, packet: &impl Serialize, content: &impl Serialize) -> io::Result<()> {
        let file = rustix::fs::memfd_create("function", MemfdFlags::CLOEXEC)?;
        let mut file = std::fs::File::from(file);
        file.write_all(&serde_json::to_vec(content)?)?;
        file.rewind()?;
        self.send(packet, &[file.as_fd()]).await
    }

    /// The next notice, or nothing at the end. May be dropped while it waits.
    pub(crate) async fn next(&self) -> io::Result<Option<(Notice, Option<OwnedFd>)>> {
        let received = self.socket.async_io(Interest::READABLE, || packets::receive::<Notice>(&self.socket)).await?;
        Ok(received.map(|(notice, descriptors)| (notice, descriptors.into_iter().next())))
    }
}

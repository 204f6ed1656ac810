//! Taking an address to listen on, with errors that say what to do next.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: u32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("{address} is in use by another program; stop it, or choose another address")]
    InUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The operating system keeps this port for privileged programs.
    #[error("this program may not listen on {address}; choose a port above 1023, or grant CAP_NET_BIND_SERVICE")]
    Denied {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// No network interface has this address.
    #[error("{address} belongs to no network interface of this machine; use 0.0.0.0 or [::] for all of them")]
    NotLocal {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}")]
    Other {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::Denied { address },
            io::ErrorKind::AddrNotAvailable => Self::NotLocal { address },
            _ => Self::Other { address, source },
        }
    }
}

/// Binds and listens on `address`; port 0 lets the operating system choose.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let attempt = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted server takes its port back at once, although connections of the old one are still in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    attempt().map_err(|source| BindError::new(address, source))
}

//! The floor: the same program as a process with nothing around it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::{Kind, first_byte, since};

/// Ends when it is dropped.
pub(super) struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    /// Until its first byte, in milliseconds.
    pub(super) async fn start(kind: &Kind, folder: &Path) -> anyhow::Result<(Self, f64)> {
        // Free a moment ago, and nothing else on this machine asks for ports now.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let began = Instant::now();
        let child = Command::new(format!("/usr/bin/{}", kind.program))
            .arg(kind.file)
            .current_dir(folder)
            .env_clear()
            .env("PORT", address.port().to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", folder.join("python_modules"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let bare = Self { child, address };
        let mut connection = loop {
            match bare.connect().await {
                Ok(connection) => break connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        first_byte(&mut connection).await?;
        Ok((bare, since(began)))
    }

    pub(super) async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

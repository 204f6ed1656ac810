//! Where connections out of a sandbox go. That a function may ask for a host is the engine's to check; whether that host may
//! be reached from here at all, and how, is said here.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use stoa_egress::{Authority, Egress, EgressError, describe};
use stoa_functions::Connection;

/// For looking up the name and connecting.
const PATIENCE: Duration = Duration::from_secs(10);

#[async_trait]
pub trait WayOut: fmt::Debug + Send + Sync + 'static {
    /// Bytes to and from exactly this host and port. `who` is the id of a version, or the name of a job.
    async fn open(&self, who: &str, to: &Authority) -> Result<Box<dyn Connection>, WayOutError>;
}

/// Why there is no connection, for the people of the function.
#[derive(Debug, thiserror::Error)]
pub enum WayOutError {
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("nobody answered within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

#[async_trait]
impl WayOut for Egress {
    async fn open(&self, _who: &str, to: &Authority) -> Result<Box<dyn Connection>, WayOutError> {
        match self.connect(to, PATIENCE).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(refused @ EgressError::Refused { .. }) => {
                Err(WayOutError::Refused(format!("{refused}; an administrator of this server may allow it")))
            }
            Err(EgressError::ConnectTimedOut { after, .. }) => Err(WayOutError::TimedOut(after)),
            Err(error) => Err(WayOutError::Unreachable(describe(&error))),
        }
    }
}

//! Where functions get out to: by the server's own way out, and to the server itself, over no network.

use std::fmt;
use std::sync::{Arc, OnceLock};

use stoa_egress::{Authority, BoxedStream, Egress};
use stoa_functions::Connection;
use stoa_functions_local::{WayOut, WayOutError};

/// The server as functions name it, at port 80, where the OpenAI protocol is spoken.
pub const HOME: &str = "stoa.internal";

pub(crate) const HOME_PORT: u16 = 80;

/// The server itself.
pub trait Home: Send + Sync {
    /// A connection, spoken to in HTTP/1.1.
    fn connect(&self) -> BoxedStream;
}

pub(crate) struct Ways {
    pub(crate) egress: Egress,
    pub(crate) home: OnceLock<Arc<dyn Home>>,
}

impl fmt::Debug for Ways {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ways").field("egress", &self.egress).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl WayOut for Ways {
    async fn open(&self, who: &str, to: &Authority) -> Result<Box<dyn Connection>, WayOutError> {
        if to.to_string() != format!("{HOME}:{HOME_PORT}") {
            return self.egress.open(who, to).await;
        }
        match self.home.get() {
            Some(home) => Ok(Box::new(home.connect())),
            None => Err(WayOutError::Unreachable("the server is just starting".to_owned())),
        }
    }
}

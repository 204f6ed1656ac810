//! An instance: where it is in its life, since when, and what its start took.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_model::Timestamp;

/// The name of a version to engines: a DNS label (RFC 1123), as Kubernetes wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct VersionId(Arc<str>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a version has 1 to 50 characters of a-z, 0-9 and -, and begins and ends with a letter or digit")]
pub struct VersionIdError;

impl VersionId {
    /// Names of instances append to it and are labels, too.
    const MAX_LENGTH: usize = 50;

    pub fn new(name: &str) -> Result<Self, VersionIdError> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = !name.is_empty()
            && name.len() <= Self::MAX_LENGTH
            && name.bytes().all(inner)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if valid { Ok(Self(name.into())) } else { Err(VersionIdError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VersionId {
    type Error = VersionIdError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name that an engine gave an instance; never given twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a ready instance is busy or idle, the activator knows, as it hands out the requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Wanted, and waiting for its turn to start.
    Pending,
    Starting,
    Ready,
    /// Takes memory, and no CPU.
    Frozen,
    /// Finishes what it has, and gets nothing new.
    Stopping,
    Stopped {
        reason: StopReason,
    },
}

impl State {
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }

    /// Whether an instance may go from here to there.
    pub fn leads_to(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Starting)
            | (Self::Starting | Self::Frozen, Self::Ready)
            | (Self::Ready, Self::Frozen)
            | (Self::Pending | Self::Starting | Self::Ready | Self::Frozen, Self::Stopping) => true,
            (from, Self::Stopped { .. }) => !from.is_over(),
            _ => false,
        }
    }
}

/// Why an instance is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum StopReason {
    #[error("it was not needed any more")]
    Asked,
    #[error("it did not begin to answer in time")]
    StartTimeout,
    #[error("its initializer failed ({status})")]
    Initializer { status: String },
    #[error("its command ended before it answered ({status})")]
    ExitedEarly { status: String },
    #[error("its command ended ({status})")]
    Exited { status: String },
    #[error("it needed more memory than it has")]
    OutOfMemory,
    #[error("its health check failed")]
    Unhealthy,
    #[error("its volume `{volume}` is not there")]
    VolumeMissing { volume: String },
    /// It writes to one, or would.
    #[error("its volume `{volume}` is full: {detail}")]
    VolumeFull { volume: String, detail: String },
    #[error("its sandbox could not be made: {detail}")]
    Sandbox { detail: String },
}

impl StopReason {
    /// Whether the instance never came to answer.
    pub fn is_failed_start(&self) -> bool {
        matches!(
            self,
            Self::StartTimeout
                | Self::Initializer { .. }
                | Self::ExitedEarly { .. }
                | Self::VolumeMissing { .. }
                | Self::Sandbox { .. }
        )
    }

    /// Whether it is about a volume: nothing of the function has run in vain, and whether it still is so is soon found out.
    pub fn is_of_a_volume(&self) -> bool {
        matches!(self, Self::VolumeMissing { .. } | Self::VolumeFull { .. })
    }
}

/// What the time of a start went into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ColdStart {
    /// From being wanted until its turn to start.
    pub queue: Duration,
    /// Until the sandbox was locked.
    pub sandbox: Duration,
    /// Until the command ran.
    pub spawn: Duration,
    /// Until it answered at its port, its health check held, and its initializer was done.
    pub init: Duration,
    /// From there to the first byte of the first answer, which whoever asked sees.
    pub first_byte: Option<Duration>,
    /// Whether a waiting interpreter was taken.
    pub from_pool: bool,
}

impl ColdStart {
    pub fn until_ready(&self) -> Duration {
        self.queue + self.sandbox + self.spawn + self.init
    }
}

/// What an engine says of an instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    pub id: InstanceId,
    #[serde(flatten)]
    pub state: State,
    pub created_at: Timestamp,
    /// When it came into its state.
    pub since: Timestamp,
    /// When it was first ready.
    pub ready_at: Option<Timestamp>,
    pub cold_start: ColdStart,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels() {
        for name in ["fn-1-v7", "a", &"a".repeat(50)] {
            assert!(VersionId::new(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "ü", &"a".repeat(51)] {
            assert!(VersionId::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_comes_after_the_end_and_nothing_is_skipped() {
        let stopped = State::Stopped { reason: StopReason::Asked };
        assert!(!stopped.leads_to(&State::Ready));
        assert!(!stopped.leads_to(&stopped));
        assert!(!State::Pending.leads_to(&State::Ready));
        assert!(!State::Stopping.leads_to(&State::Ready));
        assert!(State::Frozen.leads_to(&State::Ready));
        assert!(State::Pending.leads_to(&stopped));
    }
}

//! Where instances run: on this machine, or later in Kubernetes. Everything above talks to this alone.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use stoa_model::{FunctionVolumeId, UserId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::spec::Spec;
use crate::{Capabilities, Instance, InstanceId, LogPage, VersionId};

/// An immutable version: what is run, where its code lies, and what its volumes are.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: VersionId,
    pub spec: Arc<Spec>,
    /// A folder that nobody changes any more. Its files must be readable by others than their owner.
    pub code: PathBuf,
    /// For each volume of the spec, in its order.
    pub volumes: Vec<VolumeKey>,
}

/// Which volume, and whose. Where it lies is known to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VolumeKey {
    pub owner: UserId,
    pub volume: FunctionVolumeId,
}

/// How many instances there shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    pub instances: u32,
    /// Those that go first when there are too many. They have nothing to do and get nothing more.
    pub leaving: Vec<InstanceId>,
}

/// Bytes to and from an instance's port.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Never run with less than was demanded.
    #[error("this host does not give what the function demands: {}", missing.join(", "))]
    Isolation { missing: Vec<&'static str> },
    #[error("this engine cannot give the function {what}")]
    Unsupported { what: &'static str },
    #[error("there is no such version")]
    NoVersion,
    #[error("there is no such instance, or not any more")]
    NoInstance,
    #[error("the instance is in no state for that")]
    WrongState,
    #[error("a folder of the version cannot be used")]
    Folder(#[source] std::io::Error),
    #[error("the instance takes no connection")]
    Connect(#[source] std::io::Error),
    #[error("the engine cannot do that now")]
    Io(#[source] std::io::Error),
    #[error("the engine is shutting down")]
    ShuttingDown,
}

#[async_trait]
pub trait Engine: Send + Sync + 'static {
    fn capabilities(&self) -> Capabilities;

    /// Makes a version known. Again with the same is nothing.
    async fn apply(&self, version: Version) -> Result<(), EngineError>;

    /// Says how many instances there shall be; they come and go by themselves. An instance that ended is not replaced
    /// until this is called again.
    async fn scale(&self, version: &VersionId, scale: Scale) -> Result<(), EngineError>;

    /// The instances, now and whenever they change. Those that ended are seen once at least, then forgotten.
    fn instances(&self, version: &VersionId) -> Result<watch::Receiver<Arc<[Instance]>>, EngineError>;

    async fn connect(&self, instance: &InstanceId) -> Result<Box<dyn Connection>, EngineError>;

    /// Takes the CPU from an idle instance. False where this engine cannot.
    async fn freeze(&self, instance: &InstanceId) -> Result<bool, EngineError>;

    async fn thaw(&self, instance: &InstanceId) -> Result<(), EngineError>;

    /// Lines of an instance after a number, also for a while after its end.
    async fn logs(&self, instance: &InstanceId, after: u64) -> Result<LogPage, EngineError>;

    /// Stops the instances and forgets the version.
    async fn delete(&self, version: &VersionId) -> Result<(), EngineError>;
}

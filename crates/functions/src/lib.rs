//! Functions as they run: what a version asks for, what becomes of its instances, how many there should be, and who gets
//! which. Where instances run is an [`Engine`]'s matter.

pub mod activator;
pub mod autoscaler;
mod call;
pub mod carry;
mod engine;
mod instance;
mod isolation;
mod logs;
pub mod spec;

pub use call::{Body, CallError, Connections, Limits, RequestBody, status_of};
pub use engine::{Connection, Engine, EngineError, Scale, Version, VolumeKey};
pub use instance::{ColdStart, Instance, InstanceId, State, StopReason, VersionId};
pub use isolation::{Capabilities, Isolation};
pub use logs::{LogLine, LogPage, LogRing, Stream};
pub use spec::{Draft, Spec, SpecError};

//! Functions as this server offers them: their code, what is served of them, who gets which version, and what that takes.

mod builds;
mod code;
mod deployments;
mod housekeeping;
mod inside;
mod journal;
mod known;
mod log_store;
mod logs;
mod metering;
mod own;
mod past;
mod prices;
mod routing;
mod service;
mod templates;
mod ticket;
mod timers;
mod volumes;
mod ways;

pub use builds::BuildStatus;
pub use code::{Code, CodeError, Entry, version_digest};
pub use inside::{InsideFunctions, base_url};
pub use log_store::{FoundLog, LogRecord, LogSearch, Logged, LoggedCall};
pub use metering::{ColdSums, LATENCY_BOUNDS_MS, Latencies};
pub use prices::{Dollars, NoDollars, Prices};
pub use routing::Target;
pub use service::{
    Caller, EngineStatus, FunctionService, Makers, NoMakers, Options, Parts, ServiceError, ServingInstance, Whom,
};
pub use stoa_functions_local::build::BuildOptions;
pub use stoa_functions_local::{Item, ItemKind, JobLimits, JobOutcome, JobState, Listing, Measured, VolumeError};
pub use templates::{TEMPLATES, Template, TemplateKind, Words, template};
pub use ticket::{Answered, MeteredBody};
pub use timers::{TimerError, next_run};
pub use volumes::{Pieces, VolumeTrouble};
pub use ways::{HOME, Home};

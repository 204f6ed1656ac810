//! The engine of functions on one machine: every instance in a sandbox of its own, made by bubblewrap, locked from within by
//! Landlock and seccomp, held to its limits by control groups, frozen when idle, and gone when this process is.

pub mod build;
mod channel;
mod code;
mod engine;
mod groups;
mod health;
mod host;
mod instance;
mod interpreter;
mod jobs;
mod leftovers;
mod measuring;
mod obstacles;
mod options;
mod output;
mod pool;
mod prepared;
mod processes;
mod room;
mod sandbox;
mod shelf;
mod tree;
mod users;
mod volumes;
mod way_out;
mod ways;

pub use engine::LocalEngine;
pub use host::StartError;
pub use jobs::{Job, JobFiles, JobHandle, JobLimits, JobOutcome, JobState};
pub use options::{Options, Outward};
pub use room::Reserve;
pub use tree::{Entry, EntryKind, Tree, TreeError, TreeLimits, remove_folder};
pub use volumes::{Item, ItemKind, Listing, Measured, Upload, Volume, VolumeError, Volumes};
pub use way_out::{WayOut, WayOutError};

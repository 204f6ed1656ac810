//! The engine of the main job: turns are begun, answers are written whatever happens to the browser, and anybody who may
//! see them can follow from any place, on any replica.
//!
//! Data flows one way: `dispatch` → [`Live`](live) log in memory → readers at their own pace, and → the flusher, which
//! writes all running generations to the database in one transaction.

mod aside;
mod ask;
mod browser;
mod describe;
mod engine;
mod events;
mod feed;
mod flusher;
mod follow;
mod housekeeping;
mod inbox;
mod indexing;
mod lease;
mod live;
mod log;
mod pictures;
mod run;
mod stream;
mod summary;
mod title;
mod translate;

pub use browser::{BrowserCall, Upload, UploadEnd};
pub use engine::{Begun, ChatError, Engine, EngineOptions};
pub use events::Framing;
pub use live::EndReason;
pub use pictures::MAX_PICTURES_BYTES;
pub use stream::{EventStream, Parting, Revoked, Subscribe};

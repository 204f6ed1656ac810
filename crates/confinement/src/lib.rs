//! How processes that run what is not trusted are started and locked in: the thread that starts them, the tie to their
//! parent, and what Landlock and seccomp have in common wherever they are used.

mod landlock_status;
mod parent;
pub mod seccomp;
mod spawner;

pub use landlock_status::{Landlock, WHOLE_LANDLOCK};
pub use parent::{Orphan, end_with_parent};
pub use spawner::{Spawner, SpawnerGone};

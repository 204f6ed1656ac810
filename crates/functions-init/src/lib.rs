//! The first process of a sandbox, which is also the one that makes it.
//!
//! The engine starts this program as *outer*, on the host, as the user that the instance shall be. It is put into its
//! control groups meanwhile, gets what to mount as descriptors, closes everything else, and becomes `bwrap`. That makes the
//! namespaces and starts this program again as *inner*, process 1 in there. It locks itself in, starts the function's
//! command, reaps, and hands connections to the function's port out to the engine, over the socket that is its standard
//! input. When that socket closes, it ends, and with process 1 everything in the sandbox.

#![allow(
    unsafe_code,
    clippy::allow_attributes,
    reason = "closing foreign descriptors, and signals as descriptors: `raw`"
)]

mod confine;
mod inner;
mod outer;
pub mod packets;
pub mod protocol;
mod raw;

use std::ffi::OsString;
use std::process::ExitCode;

pub use outer::FIRST_DESCRIPTOR;

/// The first argument of the process on the host, before the id of its parent.
pub const OUTER: &str = "outer";
/// The first argument of the process in the sandbox.
pub const INNER: &str = "inner";

/// Runs as `arguments`, without the program's name, say. Must be called before the first thread is started.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let arguments: Vec<_> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    match arguments[..] {
        [OUTER, parent] => outer::run(parent),
        [INNER] => inner::run(),
        _ => ExitCode::from(2),
    }
}

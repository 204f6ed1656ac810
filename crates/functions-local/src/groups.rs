//! Control groups: what holds an instance to its CPU, memory and processes, and freezes it. Of both versions, as hosts are.

mod find;
mod group;

pub(crate) use find::{Groups, Kind, NAME};
pub(crate) use group::{Group, remove_now};

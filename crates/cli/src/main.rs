//! The `stoa` program.
fn main() {}

//! The project's own tasks: `cargo xtask NAME`.
fn main() {}

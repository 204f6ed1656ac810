//! The program as its operator meets it: real processes, real signals, a real database.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod start;
mod support;
mod survival;

//! Tests with a real model on devices. They need a program that computes on devices, and two of those: `./x test gpu` sees to
//! both, and shows Mesa's software device twice.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, and its support is no test by itself"
)]

#[expect(dead_code, reason = "what these tests share with those on the processor is more than these need")]
#[path = "../model/support.rs"]
mod support;

mod answers;
mod house;
mod life;
mod locked;

//! The first process of a sandbox as a program of its own: small, as it is started twice for each instance.

use std::process::ExitCode;

fn main() -> ExitCode {
    stoa_functions_init::run(std::env::args_os().skip(1))
}

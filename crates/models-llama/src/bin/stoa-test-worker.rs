//! The model worker alone, for tests that need no whole `stoa`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stoa_models_llama::run_worker(std::env::args_os().skip(1))
}

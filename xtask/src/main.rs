//! The project's own tasks: `cargo xtask NAME`. `./x` calls them; each prints what it found and fails if that is bad.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod count;
mod tidy;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

const USAGE: &str = "usage: cargo xtask tidy | count SUITE=FILE…

tidy    holds the rules of the tree: file heads and sizes, crate edges, dependencies, licences, links in documents
count   adds up test results and prints `N passed, M failed, K skipped`; fails if any failed.
        SUITE is `nextest` (its output), `vitest` (its JSON report) or `summary` (output that ends in a summary line)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<bool> {
    match arguments.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("tidy", [])) => {
            let findings = tidy::check(&root()?)?;
            for finding in &findings {
                println!("{finding}");
            }
            Ok(findings.is_empty())
        }
        Some(("count", suites)) => {
            let total = count::total(suites)?;
            println!("{total}");
            Ok(total.is_good())
        }
        _ => bail!(USAGE),
    }
}

/// The top of the source tree.
fn root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    Ok(root.to_owned())
}

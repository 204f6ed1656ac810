//! `models`: local models with many users at once, each against the bare loop or against quieter circumstances.

mod client;
mod fairness;
mod peer;
mod reuse;
mod users;

use anyhow::Context as _;
use clap::ValueEnum;
use stoa_storage::MasterKey;
use tempfile::TempDir;

use crate::chat::seed::Seed;
use crate::local::model_file;
use crate::processes::{Stoa, import_model};
use crate::report::Report;
use client::Client;

const MODEL: &str = "bench:latest";
/// So much for each: a question and its answer, and room for sixteen of them at once.
const CONTEXT_TOKENS: &str = "2048";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Tokens a second and the time to the first token, with one user, four and sixteen.
    Users,
    /// What ten people notice of one who asks for everything at once.
    Fairness,
    /// The first token of a conversation that goes on, with what was computed of it kept and without.
    Reuse,
    /// The crowds at llama.cpp's own server.
    Peer,
}

/// Runs the cases, all of them when none is named. One that fails does not keep the others from running.
pub(crate) async fn run(cases: Vec<Case>, report: &mut Report) -> anyhow::Result<()> {
    let cases = if cases.is_empty() { Case::value_variants().to_vec() } else { cases };
    let mut failed = Vec::new();
    for case in cases {
        let begun = std::time::Instant::now();
        let done = match case {
            Case::Users => Box::pin(users::run(report)).await,
            Case::Fairness => Box::pin(fairness::run(report)).await,
            Case::Reuse => Box::pin(reuse::run(report)).await,
            Case::Peer => Box::pin(peer::run(report)).await,
        };
        let name = case.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        match done {
            Ok(()) => Report::say(&format!("{name}: {:.1} s", begun.elapsed().as_secs_f64())),
            Err(error) => {
                Report::say(&format!("{name} failed: {error:#}"));
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { anyhow::bail!("these cases failed: {}", failed.join(", ")) }
}

/// A server with a local model, and people with a key each.
struct Town {
    server: Stoa,
    people: Vec<Client>,
    _directory: TempDir,
}

impl Town {
    async fn with(people: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let key = MasterKey::generate();
        let seed = Seed::begin(directory.path(), &key).await?;
        let cookies = seed.people(people).await?;
        seed.end().await?;
        import_model(directory.path(), &model_file()?, MODEL).await?;
        let key = key.to_hex();
        let variables = [("STOA_MASTER_KEY", key.as_str()), ("STOA_MODEL_CONTEXT_TOKENS", CONTEXT_TOKENS)];
        let server = Stoa::start(directory.path(), &variables).await?;
        let mut clients = Vec::with_capacity(people);
        for cookie in cookies {
            clients.push(Client::with_cookie(server.address, cookie).await?);
        }
        Ok(Self { server, people: clients, _directory: directory })
    }

    /// The process that runs the model.
    fn worker(&self) -> anyhow::Result<u32> {
        // Started by one of its threads, and so listed under that.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.server.pid))?.flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let worker = children.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).next();
        Ok(worker.context("the server runs no model")?.parse()?)
    }
}

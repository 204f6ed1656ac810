//! `stoa function`: folders as functions of a running server, and what is done with those that are there.

mod begin;
mod deploy;
mod folder;
mod server;
mod show;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::config::Config;
use server::{Door, Server};

#[derive(Subcommand)]
pub(crate) enum FunctionCommand {
    /// Makes a folder to begin with.
    New {
        folder: PathBuf,
        /// `python-agent`, `node-agent`, `python-model-agent`, `node-model-agent`, `python-mcp`, `python-webhook` or
        /// `python-job`.
        #[arg(long, default_value = "python-agent")]
        template: String,
    },
    /// Sends a folder to the server, makes a version of it, and gives an alias to that version.
    ///
    /// What runs it and how is in `function.toml` in the folder: `command = ["node", "index.mjs"]` and whatever else the
    /// settings of a function have. Without that file, a function that is there keeps its settings.
    Deploy {
        folder: PathBuf,
        /// What the function is called; the folder's name when absent.
        #[arg(long)]
        name: Option<String>,
        /// What is new in it.
        #[arg(long, default_value = "")]
        note: String,
        /// The alias that gets the version.
        #[arg(long, default_value = "live")]
        alias: String,
        /// Gives the version so many percent of the alias's calls at first: 1 to 99.
        #[arg(long)]
        canary: Option<u8>,
        #[command(flatten)]
        door: Door,
    },
    /// Lists the functions of whoever's key it is.
    List {
        #[command(flatten)]
        door: Door,
    },
    /// Makes a function that speaks the OpenAI protocol a model that people chat with, and tries it.
    Model {
        name: String,
        /// The alias that answers.
        #[arg(long, default_value = "live")]
        alias: String,
        #[command(flatten)]
        door: Door,
    },
    /// Gives an alias to the version that it tries.
    Promote {
        name: String,
        #[arg(long, default_value = "live")]
        alias: String,
        #[command(flatten)]
        door: Door,
    },
    /// Gives an alias back to the version that it had before, and stops trying another.
    RollBack {
        name: String,
        #[arg(long, default_value = "live")]
        alias: String,
        #[command(flatten)]
        door: Door,
    },
    /// Shows how the calls went, and to which versions.
    Metrics {
        name: String,
        /// Of the latest so many.
        #[arg(long, default_value_t = 24)]
        hours: u32,
        #[command(flatten)]
        door: Door,
    },
    /// Shows what all functions of whoever's key it is took, and what that cost.
    Account {
        /// Of the latest so many.
        #[arg(long, default_value_t = 24)]
        hours: u32,
        #[command(flatten)]
        door: Door,
    },
    /// Shows the latest lines of the log.
    Logs {
        name: String,
        /// Those with this in them.
        #[arg(long)]
        search: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        door: Door,
    },
}

pub(crate) fn run(command: FunctionCommand, config: &Config) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    let server = |door: &Door| Server::new(door, config);
    runtime.block_on(async {
        match command {
            FunctionCommand::New { folder, template } => begin::begin(&folder, &template),
            FunctionCommand::Deploy { folder, name, note, alias, canary, door } => {
                let name = name.map_or_else(|| name_of(&folder), Ok)?;
                deploy::deploy(&server(&door)?, &folder, &name, &note, &alias, canary).await
            }
            FunctionCommand::List { door } => show::list(&server(&door)?).await,
            FunctionCommand::Model { name, alias, door } => model(&server(&door)?, &name, &alias).await,
            FunctionCommand::Promote { name, alias, door } => route(&server(&door)?, &name, &alias, "promote").await,
            FunctionCommand::RollBack { name, alias, door } => route(&server(&door)?, &name, &alias, "rollback").await,
            FunctionCommand::Metrics { name, hours, door } => show::metrics(&server(&door)?, &name, hours).await,
            FunctionCommand::Account { hours, door } => show::account(&server(&door)?, hours).await,
            FunctionCommand::Logs { name, search, limit, door } => {
                show::logs(&server(&door)?, &name, search.as_deref(), limit).await
            }
        }
    })
}

fn name_of(folder: &Path) -> anyhow::Result<String> {
    let folder = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str());
    Ok(name.context("the folder has no name to call the function by; give one with --name")?.to_owned())
}

async fn model(server: &Server, name: &str, alias: &str) -> anyhow::Result<String> {
    let path = format!("{}/model", server.function(name).await?);
    let made = server.json(Method::POST, &path, &json!({ "alias": alias })).await?;
    match (made["model"].as_str(), made["check"]["problem"].as_str()) {
        (Some(model), None) => {
            Ok(format!("{name} is the model {model} and answers, within {} ms\n", made["check"]["latency_ms"]))
        }
        (Some(model), Some(problem)) => anyhow::bail!("{name} is the model {model}, and does not answer: {problem}"),
        (None, problem) => {
            let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
            anyhow::bail!("{name} offers no model{problem}")
        }
    }
}

/// Promotes, or rolls back.
async fn route(server: &Server, name: &str, alias: &str, how: &str) -> anyhow::Result<String> {
    let path = format!("{}/aliases/{alias}/{how}", server.function(name).await?);
    let given = server.json(Method::POST, &path, &Value::Null).await?;
    Ok(format!("{name}: `{alias}` is version {}\n", given["version"]))
}

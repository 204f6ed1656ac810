//! The `stoa` program: the server, the tools beside it, and the worker that runs a model.

mod config;
mod data_dir;
mod functions;
mod models;
mod serve;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::Config;

/// The argument that makes this program a model worker. Read before anything else is set up.
const MODEL_WORKER: &str = "model-worker";

/// An LLM chat platform that an organisation runs itself.
#[derive(Parser)]
#[command(name = "stoa", version, arg_required_else_help = true)]
struct Arguments {
    /// A file with settings (TOML). The environment wins over it.
    #[arg(long, global = true, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve,
    /// Models that run on this machine.
    Model {
        #[command(subcommand)]
        command: models::ModelCommand,
    },
    /// Functions of a running server.
    Function {
        #[command(subcommand)]
        command: functions::FunctionCommand,
    },
    /// Prints the OpenAPI document.
    Openapi,
    /// The settings there are.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Prints the reference of all settings, as Markdown.
    Reference,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // The first process of a function's sandbox.
    let words = [stoa_functions_init::OUTER, stoa_functions_init::INNER];
    if std::env::args_os().nth(1).is_some_and(|first| words.iter().any(|word| first == *word)) {
        return stoa_functions_init::run(arguments);
    }
    if arguments.next().is_some_and(|first| first == MODEL_WORKER) {
        return stoa_models_llama::run_worker(arguments.collect::<Vec<OsString>>());
    }
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain in one line, and nothing of a backtrace: this is for the person at the terminal.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Openapi => print(&stoa_server::openapi_json()?),
        Command::Config { command: ConfigCommand::Reference } => print(&config::reference()),
        Command::Model { command } => {
            let config = Config::load(arguments.config.as_deref())?;
            print(&models::run(command, &config)?)
        }
        Command::Function { command } => {
            let config = Config::load(arguments.config.as_deref())?;
            print(&functions::run(command, &config)?)
        }
        Command::Serve => {
            let config = Config::load(arguments.config.as_deref())?;
            stoa_telemetry::start(Some(&config.log), Some(&config.log_format))?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .context("the runtime cannot be started")?;
            runtime.block_on(serve::serve(config))
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("the output cannot be written")
}

//! `stoa-bench`: measures the program as its users meet it, real processes over loopback, with the peer in the same run.

mod api;
mod chat;
mod functions;
mod local;
mod machine;
mod models;
mod processes;
mod relay;
mod report;
mod search;
mod sse;
mod web;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use stoa_models::protocol::Processor;
use stoa_models_llama::RawLoad;
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Report;

/// No run of all cases takes longer.
const AT_MOST: Duration = Duration::from_mins(10);
/// A million messages are written and indexed twice before they are searched.
const SEARCH_AT_MOST: Duration = Duration::from_hours(1);

/// Measures Stoa. Without a name, every bench is run.
#[derive(Parser)]
#[command(name = "stoa-bench")]
struct Arguments {
    /// One JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    bench: Option<Bench>,
}

#[derive(Subcommand)]
enum Bench {
    /// The chat: its start, its memory, its streams, long conversations, the first screen, the local model.
    Chat {
        /// The cases to run; all of them when none is named.
        cases: Vec<chat::Case>,
    },
    /// Local models with many users at once: tokens a second, time to the first token, and fairness.
    Models {
        /// The cases to run; all of them when none is named.
        cases: Vec<models::Case>,
    },
    /// Search in many messages, on SQLite and on PostgreSQL (at `STOA_TEST_POSTGRES`), beside a scan of the same rows.
    Search {
        /// How many messages there are.
        #[arg(long, default_value_t = search::MESSAGES)]
        messages: u64,
    },
    /// The page in a real browser: frames and long tasks while an answer is streamed into 2,000 messages, and while 10,000
    /// are opened and scrolled.
    Web,
    /// Functions: cold starts, claims, thaws, warm requests and many of them, beside bare processes.
    Functions,
    /// The floor: a bare hyper server that relays event streams.
    #[command(hide = true)]
    Relay { upstream: SocketAddr },
    /// The floor of local models: a bare llama.cpp loop over one or several sequences. Prints the seconds of all prompts
    /// and the tokens decoded a second.
    #[command(hide = true)]
    RawDecode { model: PathBuf, prompt_tokens: u32, tokens: u32, sequences: u32 },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.bench {
        Some(Bench::Relay { upstream }) => relay::run(upstream),
        Some(Bench::RawDecode { model, prompt_tokens, tokens, sequences }) => {
            raw_decode(&model, RawLoad { sequences, prompt_tokens, decoded_tokens: tokens })
        }
        Some(Bench::Chat { cases }) => measure(arguments.json, async |report| chat::run(cases, report).await),
        Some(Bench::Models { cases }) => measure(arguments.json, async |report| models::run(cases, report).await),
        Some(Bench::Search { messages }) => {
            measure_within(SEARCH_AT_MOST, arguments.json, async |report| search::run(messages, report).await)
        }
        Some(Bench::Functions) => measure(arguments.json, async |report| functions::run(report).await),
        Some(Bench::Web) => measure(arguments.json, async |report| web::run(report).await),
        None => measure(arguments.json, async |report| {
            let chat = chat::run(Vec::new(), report).await;
            let search = search::run(search::FEW_MESSAGES, report).await;
            let web = web::run(report).await;
            let functions = functions::run(report).await;
            models::run(Vec::new(), report).await.and(chat).and(search).and(web).and(functions)
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(json: bool, bench: impl AsyncFnOnce(&mut Report) -> anyhow::Result<()>) -> anyhow::Result<()> {
    measure_within(AT_MOST, json, bench)
}

fn measure_within(
    at_most: Duration,
    json: bool,
    bench: impl AsyncFnOnce(&mut Report) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    machine::raise_file_limit();
    // One thread: thousands of readers that all wait for the same few events cost least this way.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new(json);
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        // Whichever way this ends, the processes end with the future that holds them.
        tokio::select! {
            done = bench(&mut report) => done,
            () = tokio::time::sleep(at_most) => anyhow::bail!("the bench took longer than {} s", at_most.as_secs()),
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            _ = terminate.recv() => anyhow::bail!("terminated"),
        }
    })
}

fn raw_decode(model: &std::path::Path, load: RawLoad) -> anyhow::Result<()> {
    let measured =
        stoa_models_llama::raw_decode(model, load, Processor::Best).context("the bare loop cannot run this model")?;
    writeln!(io::stdout(), "{} {}", measured.prefill.as_secs_f64(), measured.decode_tokens_per_second())?;
    Ok(())
}

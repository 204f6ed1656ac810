//! `chat`: the numbers that the chat is designed for, each against its floor or target.

mod decode;
mod first_screen;
mod first_token;
mod long_conversation;
mod many_streams;
mod open_streams;
pub(crate) mod seed;
mod start;

use std::future::Future;

use clap::ValueEnum;
use tokio::task::JoinSet;

use crate::report::Report;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Start to ready on SQLite, and memory at rest.
    Start,
    /// What the server adds to the time to the first token.
    FirstToken,
    /// 2,000 answers at 20 tokens a second, against a bare relay.
    Streams,
    /// 9,000 open event streams, one in a hundred with an answer.
    OpenStreams,
    /// A conversation of 10,000 messages.
    LongConversation,
    /// JavaScript on the wire for the first screen.
    FirstScreen,
    /// Tokens a second of the local model, against a bare llama.cpp loop.
    Decode,
}

/// Runs the cases, all of them when none is named. One that fails does not keep the others from running.
pub(crate) async fn run(cases: Vec<Case>, report: &mut Report) -> anyhow::Result<()> {
    let cases = if cases.is_empty() { Case::value_variants().to_vec() } else { cases };
    let mut failed = Vec::new();
    for case in cases {
        let begun = std::time::Instant::now();
        let done = match case {
            Case::Start => Box::pin(start::run(report)).await,
            Case::FirstToken => Box::pin(first_token::run(report)).await,
            Case::Streams => Box::pin(many_streams::run(report)).await,
            Case::OpenStreams => Box::pin(open_streams::run(report)).await,
            Case::LongConversation => Box::pin(long_conversation::run(report)).await,
            Case::FirstScreen => Box::pin(first_screen::run(report)).await,
            Case::Decode => Box::pin(decode::run(report)).await,
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

/// Does `count` tasks, at most `at_once` at a time; the results are in the order of the tasks.
async fn at_once<T, F>(count: usize, at_once: usize, task: impl Fn(usize) -> F) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let mut running = JoinSet::new();
    let mut next = 0;
    while next < count || !running.is_empty() {
        while next < count && running.len() < at_once {
            let (index, future) = (next, task(next));
            running.spawn(async move { (index, future.await) });
            next += 1;
        }
        if let Some(done) = running.join_next().await {
            let (index, result) = done?;
            if let Some(place) = results.get_mut(index) {
                *place = Some(result?);
            }
        }
    }
    Ok(results.into_iter().flatten().collect())
}

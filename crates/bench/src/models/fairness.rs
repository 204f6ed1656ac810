//! Ten people who ask one short question after the other, with and without one who has fifty long ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Town;
use super::client::Client;
use crate::report::{Better, Line, Report, median, percentile};

const PEOPLE: usize = 10;
const QUESTIONS: usize = 4;
const TOKENS: u32 = 16;
const GREEDY_REQUESTS: usize = 50;
const GREEDY_TOKENS: u32 = 400;
/// How long somebody who was told to come back waits.
const LATER: Duration = Duration::from_millis(500);

pub(super) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let town = Town::with(PEOPLE + 1).await?;
    let (greedy, modest) = town.people.split_first().context("nobody is there")?;
    greedy.ask("Say hello.", 8).await?;
    let quiet = questions(modest).await?;

    let answered = Arc::new(AtomicUsize::new(0));
    // Whatever is left of it ends with the set.
    let mut crowd = JoinSet::new();
    for number in 0..GREEDY_REQUESTS {
        let (greedy, answered) = (greedy.clone(), Arc::clone(&answered));
        crowd.spawn(async move {
            let question = format!("Write a very long story number {number} about a lighthouse and the sea.");
            while greedy.ask(&question, GREEDY_TOKENS).await?.is_none() {
                sleep(LATER).await;
            }
            answered.fetch_add(1, Ordering::Relaxed);
            anyhow::Ok(())
        });
    }
    sleep(Duration::from_secs(2)).await;
    let busy = questions(modest).await?;
    Report::say(&format!(
        "fairness: the greedy one had {} of {GREEDY_REQUESTS} answers when the others had all of theirs",
        answered.load(Ordering::Relaxed)
    ));
    let runs = PEOPLE * QUESTIONS;
    let line = |case, measure: &dyn Fn(&[f64]) -> f64| {
        Line::new(case, (measure(&busy), "ms"), ("without the greedy", measure(&quiet)), Better::Lower, runs)
            .of("models")
    };
    report.add(&line("ttft-p50-beside-greedy", &median))?;
    report.add(&line("ttft-p99-beside-greedy", &|values| percentile(values, 0.99)))?;
    Ok(())
}

/// Milliseconds to the first token of every question.
async fn questions(people: &[Client]) -> anyhow::Result<Vec<f64>> {
    let mut asking = JoinSet::new();
    for (number, person) in people.iter().enumerate() {
        let person = person.clone();
        asking.spawn(async move {
            let mut firsts = Vec::new();
            for question in 0..QUESTIONS {
                let question =
                    format!("Name one thing that has to do with the number {}.", number * QUESTIONS + question);
                let answer = person.ask(&question, TOKENS).await?.context("a short queue was full")?;
                firsts.push(answer.first_token().context("an answer is empty")?);
            }
            anyhow::Ok(firsts)
        });
    }
    let mut all = Vec::new();
    while let Some(firsts) = asking.join_next().await {
        all.extend(firsts??);
    }
    Ok(all)
}

//! A conversation that goes on, against the same for somebody of whom nothing is known: what is kept of the prompt.

use anyhow::Context as _;

use super::Town;
use super::client::{Answer, Client};
use crate::report::{Better, Line, Report, median};

const ROUNDS: usize = 5;
/// Sentences of the prompt that both turns begin with: about a thousand tokens.
const SENTENCES: usize = 90;

pub(super) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let town = Town::with(2).await?;
    let (one, other) = (&town.people[0], &town.people[1]);
    one.ask("Say hello.", 8).await?;
    let (mut kept, mut anew) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let day = |day: usize| format!("On day {day} of voyage {round} we saw {} ships. ", day + 3);
        let talk = (0..SENTENCES).map(day).collect::<Vec<_>>().concat();
        first(one, &talk, "How many days?").await?;
        kept.push(first(one, &talk, "How many ships?").await?);
        anew.push(first(other, &talk, "How many ships?").await?);
    }
    Report::say(&format!("first token with the talk kept {kept:.0?} ms, anew {anew:.0?} ms"));
    let anew = ("the same of another person", median(&anew));
    Ok(report.add(&Line::new("prefix-reuse", (median(&kept), "ms"), anew, Better::Lower, ROUNDS).of("models"))?)
}

/// Milliseconds to the first token.
async fn first(person: &Client, talk: &str, question: &str) -> anyhow::Result<f64> {
    let answer = person.ask(&format!("{talk}{question}"), 8).await?.context("the queue was full")?;
    Answer::first_token(&answer).context("nothing was said")
}

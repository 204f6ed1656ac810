//! One user, four and sixteen, all asking at the same moment, against the bare loop with as many sequences in one call.

use std::time::Instant;

use anyhow::{Context as _, bail};
use tokio::task::JoinSet;

use super::Town;
use super::client::{Answer, Client};
use crate::local::{model_file, raw_decode};
use crate::report::{Better, Line, Report, float, median, percentile};

pub(super) const ROUNDS: usize = 3;
const TOKENS: u32 = 128;

/// So many who ask at the same moment, and what their lines are called.
pub(super) struct Crowd {
    pub(super) users: usize,
    rate: &'static str,
    median: &'static str,
    slowest: &'static str,
    pub(super) peer_rate: &'static str,
    pub(super) peer_median: &'static str,
    pub(super) peer_slowest: &'static str,
}

pub(super) const CROWDS: [Crowd; 3] = [
    Crowd {
        users: 1,
        rate: "decode-1-user",
        median: "ttft-p50-1-user",
        slowest: "ttft-p99-1-user",
        peer_rate: "peer-decode-1-user",
        peer_median: "peer-ttft-p50-1-user",
        peer_slowest: "peer-ttft-p99-1-user",
    },
    Crowd {
        users: 4,
        rate: "decode-4-users",
        median: "ttft-p50-4-users",
        slowest: "ttft-p99-4-users",
        peer_rate: "peer-decode-4-users",
        peer_median: "peer-ttft-p50-4-users",
        peer_slowest: "peer-ttft-p99-4-users",
    },
    Crowd {
        users: 16,
        rate: "decode-16-users",
        median: "ttft-p50-16-users",
        slowest: "ttft-p99-16-users",
        peer_rate: "peer-decode-16-users",
        peer_median: "peer-ttft-p50-16-users",
        peer_slowest: "peer-ttft-p99-16-users",
    },
];

const PLACES: [&str; 4] = ["the sea", "the desert", "the mountains", "the city"];
const PEOPLE: [&str; 4] = ["a sailor", "a doctor", "a child", "a king"];

pub(super) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let file = model_file()?;
    let town = Town::with(16).await?;
    // The first loads the model.
    town.people[0].ask("Say hello.", 8).await?;
    for crowd in CROWDS {
        let people = town.people.get(..crowd.users).context("too few people")?;
        let (mut rates, mut raw_rates, mut firsts, mut raw_prefills) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let answers = all_at_once(people, round).await?;
            rates.push(rate(&answers)?);
            firsts.extend(answers.iter().filter_map(Answer::first_token));
            let prompt = answers.iter().map(|answer| answer.prompt_tokens).sum::<u64>() / answers.len() as u64;
            let raw = raw_decode(&file, answers.len() as u64, prompt, u64::from(TOKENS)).await?;
            raw_rates.push(raw.decode_per_second);
            raw_prefills.push(raw.prefill_seconds * 1_000.0);
        }
        Report::say(&format!("{} users: {rates:.1?} tokens/s, bare loop {raw_rates:.1?}", crowd.users));
        let peer = ("raw packed loop", median(&raw_rates));
        report.add(&Line::new(crowd.rate, (median(&rates), "tokens/s"), peer, Better::Higher, ROUNDS).of("models"))?;
        // The bare loop computes one prompt after the other: the last has waited for all, the middle one for half.
        let prefill = median(&raw_prefills);
        let middle = prefill * float(crowd.users as u64 + 1) / float(2 * crowd.users as u64);
        let line = Line::new(crowd.median, (median(&firsts), "ms"), ("raw prefill", middle), Better::Lower, ROUNDS);
        report.add(&line.of("models"))?;
        let slowest = (percentile(&firsts, 0.99), "ms");
        let line = Line::new(crowd.slowest, slowest, ("raw prefill", prefill), Better::Lower, ROUNDS);
        report.add(&line.of("models"))?;
    }
    Ok(())
}

pub(super) async fn all_at_once(people: &[Client], round: usize) -> anyhow::Result<Vec<Answer>> {
    let mut asking = JoinSet::new();
    for (number, person) in people.iter().enumerate() {
        let person = person.clone();
        let (place, who) = (PLACES[(number / 4 + round) % 4], PEOPLE[number % 4]);
        // Other words from their fifth on in every round and crowd: what was computed before helps nobody.
        let days = 10 * people.len() + round;
        let question = format!(
            "Write a long story of {days} days about {who} who crosses {place} alone. Tell every day of the voyage."
        );
        asking.spawn(async move { person.ask(&question, TOKENS).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        answers.push(answer??.context("the queue was full")?);
    }
    Ok(answers)
}

/// Tokens a second of all together, while all of them were being answered.
pub(super) fn rate(answers: &[Answer]) -> anyhow::Result<f64> {
    let begun = answers.iter().filter_map(|answer| answer.tokens.first()).max().context("nobody was answered")?;
    let ended = answers.iter().filter_map(|answer| answer.tokens.last()).min().context("nobody was answered")?;
    let meanwhile = |token: &&Instant| **token > *begun && **token <= *ended;
    let tokens: usize = answers.iter().map(|answer| answer.tokens.iter().filter(meanwhile).count()).sum();
    if ended <= begun || tokens < 10 * answers.len() {
        bail!("the answers were too short to measure");
    }
    Ok(float(tokens as u64) / (*ended - *begun).as_secs_f64())
}

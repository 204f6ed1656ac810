//! A conversation of 10,000 messages: its first page, and what one more turn costs beside one in a conversation of ten.

use std::time::Instant;

use stoa_storage::MasterKey;

use super::seed::Seed;
use crate::api::{Api, count};
use crate::processes::{Stoa, Upstream};
use crate::report::{Better, Line, Report, median};

/// Turns of two messages.
const LONG_TURNS: usize = 5_000;
const SHORT_TURNS: usize = 5;
const PAGES: usize = 200;
const APPENDS: usize = 100;
/// The target: milliseconds of the first page.
const PAGE_MS: f64 = 20.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    let directory = tempfile::tempdir()?;
    let key = MasterKey::generate();
    let started = Instant::now();
    let mut seed = Seed::begin(directory.path(), &key).await?;
    let long = seed.conversation(LONG_TURNS).await?;
    let mut shorts = Vec::new();
    for _ in 0..APPENDS {
        shorts.push(seed.conversation(SHORT_TURNS).await?);
    }
    seed.end().await?;
    Report::say(&format!("long conversation: seeded in {:.1} s", started.elapsed().as_secs_f64()));

    let (allow, key) = (mock.address.to_string(), key.to_hex());
    let server = Stoa::start(directory.path(), &[("STOA_EGRESS_ALLOW", &allow), ("STOA_MASTER_KEY", &key)]).await?;
    let api = Api::sign_in(server.address).await?;
    api.add_mock(mock.address, "tokens=3").await?;
    let path = format!("/api/v1/conversations/{long}/messages");
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        api.get(&path).await?;
        pages.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let (mut in_long, mut in_short) = (Vec::new(), Vec::new());
    for (index, short) in shorts.iter().enumerate() {
        // By turns, and neither always first: whatever the machine does meanwhile meets both.
        if index % 2 == 0 {
            in_long.push(append(&api, &long).await?);
            in_short.push(append(&api, short).await?);
        } else {
            in_short.push(append(&api, short).await?);
            in_long.push(append(&api, &long).await?);
        }
    }
    let page = median(&pages);
    report.add(&Line::new("10000-messages-page", (page, "ms"), ("target", PAGE_MS), Better::Lower, PAGES))?;
    let (append, peer) = (median(&in_long), median(&in_short));
    report.add(&Line::new("10000-messages-append", (append, "ms"), ("10 messages", peer), Better::Lower, APPENDS))?;
    Ok(())
}

/// Milliseconds until a message is taken. Its answer is awaited, so that no append meets another.
async fn append(api: &Api, conversation: &str) -> anyhow::Result<f64> {
    let message = count();
    let begun = Instant::now();
    let turn = api.say(conversation, &message).await?;
    let taken = begun.elapsed();
    api.finished(&turn).await?;
    Ok(taken.as_secs_f64() * 1_000.0)
}

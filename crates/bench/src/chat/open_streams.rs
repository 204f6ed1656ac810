//! 9,000 open event streams, three tabs of each of 3,000 people, one in a hundred with an answer: what each costs in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;
use stoa_storage::MasterKey;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::at_once;
use super::seed::Seed;
use crate::api::{Api, count};
use crate::machine;
use crate::processes::{Stoa, Upstream};
use crate::report::{Better, Line, Report, float};
use crate::sse::{Dialect, Reader, Tally};

const PEOPLE: usize = 3_000;
const TABS: usize = 3;
const STREAMS: usize = PEOPLE * TABS;
const ACTIVE: usize = STREAMS / 100;
const RATE: u64 = 20;
const TOKENS: u64 = 20 * RATE;
/// Connections that are opened at a time.
const AT_ONCE: usize = 64;
const REST: Duration = Duration::from_secs(1);
/// The target: KiB a stream.
const STREAM_KIB: f64 = 60.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    let directory = tempfile::tempdir()?;
    let key = MasterKey::generate();
    let seed = Seed::begin(directory.path(), &key).await?;
    let cookies = seed.people(PEOPLE).await?;
    seed.end().await?;
    let (allow, key) = (mock.address.to_string(), key.to_hex());
    let server = Stoa::start(directory.path(), &[("STOA_EGRESS_ALLOW", &allow), ("STOA_MASTER_KEY", &key)]).await?;
    let owner = Api::sign_in(server.address).await?;
    owner.add_mock(mock.address, &format!("rate={RATE};tokens={TOKENS}")).await?;
    // One answer first, so that what a first answer needs once is not counted with the streams.
    let warm_up = owner.say(&owner.new_conversation().await?, &count()).await?;
    owner.finished(&warm_up).await?;
    sleep(REST).await;
    let before = machine::resident_bytes(server.pid)?;

    let people: Vec<Api> = cookies.into_iter().map(|cookie| owner.with_cookie(cookie)).collect();
    let tally = Arc::<Tally>::default();
    let started = Instant::now();
    let open = |index: usize| {
        let (person, tally) = (people.get(index % PEOPLE).cloned(), Arc::clone(&tally));
        async move {
            let person = person.context("a person is missing")?;
            let request = person.stream_request("/api/v1/events");
            let mut reader = Reader::open(person.address, request.as_bytes(), Dialect::Stoa, tally).await?;
            if reader.read_until(|events| events.stream.is_some()).await? {
                bail!("an event stream was closed at once");
            }
            Ok(reader)
        }
    };
    let mut readers = at_once(STREAMS, AT_ONCE, open).await?;
    let opened = started.elapsed();
    let (mut active, mut idle) = (Vec::new(), JoinSet::new());
    for (person, reader) in people.iter().zip(readers.drain(..ACTIVE)) {
        let stream = reader.stream().context("a stream has no name")?.to_owned();
        active.push(reader.follow(TOKENS));
        let turn = person.say(&person.new_conversation().await?, &count()).await?;
        let subscribe = json!({ "subscribe": [turn.generation] });
        person.post(&format!("/api/v1/events/{stream}/subscriptions"), &subscribe).await?;
    }
    for mut reader in readers {
        idle.spawn(async move { reader.read_until(|_| false).await });
    }
    // While all are open and the answers run.
    sleep(Duration::from_secs(TOKENS / RATE) / 2).await;
    let (during, finished) = (machine::resident_bytes(server.pid)?, tally.finished());
    if finished > 0 {
        bail!("{finished} answers were over before the memory was read");
    }
    for reader in active {
        timeout(Duration::from_secs(2 * TOKENS / RATE), reader).await.context("the answers did not end in time")??;
    }
    let open = idle.len();
    while idle.try_join_next().is_some() {}
    let closed = open - idle.len();
    Report::say(&format!(
        "open streams: opened in {:.1} s; {} of {ACTIVE} answers whole; {closed} idle streams closed; {:.1} MiB before, {:.1} MiB with them",
        opened.as_secs_f64(),
        tally.finished(),
        float(before) / 1_048_576.0,
        float(during) / 1_048_576.0,
    ));
    let lost = float(tally.wrong() + closed as u64);
    let each = float(during.saturating_sub(before)) / 1_024.0 / float(STREAMS as u64);
    report.add(&Line::new(
        "open-stream-memory",
        (each, "KiB/stream"),
        ("target", STREAM_KIB),
        Better::Lower,
        STREAMS,
    ))?;
    report.add(&Line::new("open-streams-lost", (lost, "tokens"), ("target", 0.0), Better::Lower, ACTIVE))?;
    Ok(())
}

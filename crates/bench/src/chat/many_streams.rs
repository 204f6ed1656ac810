//! 2,000 answers at 20 tokens a second, each with a reader of its own: none lost or out of order, and the processor time
//! of the server against that of a bare relay of the same traffic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::{sleep, timeout};

use super::at_once;
use crate::api::{Api, count};
use crate::machine;
use crate::processes::{Stoa, Upstream};
use crate::report::{Better, Line, Report, float};
use crate::sse::{Dialect, Reader, Tally};

const STREAMS: usize = 2_000;
const RATE: u64 = 20;
/// Tokens of each answer: long enough that the first still runs when the last has begun and the window is over.
const TOKENS: u64 = 45 * RATE;
const SETTLE: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(10);
/// Requests under way at a time while the streams are begun.
const AT_ONCE: usize = 32;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    // The floor before and after, so that a change of the machine in between shows in both.
    let before = relayed(&mock).await?;
    let (stoa, lost) = through_stoa(&mock).await?;
    let after = relayed(&mock).await?;
    let relay = f64::midpoint(before.cost(), after.cost());
    Report::say(&format!(
        "streams: relay {:.2} and {:.2} µs/token at {:.0} and {:.0} tokens/s; stoa {:.2} µs/token at {:.0} tokens/s",
        before.cost(),
        after.cost(),
        before.rate(),
        after.rate(),
        stoa.cost(),
        stoa.rate(),
    ));
    let runs = STREAMS;
    report.add(&Line::new("streams-cpu", (stoa.cost(), "µs/token"), ("hyper relay", relay), Better::Lower, runs))?;
    let asked = float(RATE) * float(STREAMS as u64);
    report.add(&Line::new("streams-rate", (stoa.rate(), "tokens/s"), ("provider", asked), Better::Higher, runs))?;
    report.add(&Line::new("streams-lost", (float(lost), "tokens"), ("target", 0.0), Better::Lower, runs))?;
    Ok(())
}

/// What passed in the window, and what it cost.
struct Window {
    processor: Duration,
    wall: Duration,
    tokens: u64,
}

impl Window {
    /// Microseconds of processor time a token.
    fn cost(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / float(self.tokens)
    }

    fn rate(&self) -> f64 {
        float(self.tokens) / self.wall.as_secs_f64()
    }

    async fn measure(pid: u32, tally: &Tally) -> anyhow::Result<Self> {
        sleep(SETTLE).await;
        let (begun, processor, tokens) = (Instant::now(), machine::processor_time(pid)?, tally.tokens());
        sleep(WINDOW).await;
        let processor = machine::processor_time(pid)?.saturating_sub(processor);
        Ok(Self { processor, wall: begun.elapsed(), tokens: tally.tokens() - tokens })
    }
}

async fn relayed(mock: &Upstream) -> anyhow::Result<Window> {
    let relay = Upstream::relay(mock.address).await?;
    let tally = Arc::<Tally>::default();
    let body = r#"{"model":"counter","stream":true,"messages":[{"role":"user","content":"count"}]}"#;
    let request: Arc<str> = format!(
        "POST /__scenario/rate={RATE};tokens={TOKENS}/v1/chat/completions HTTP/1.1\r\nhost: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        relay.address,
        body.len(),
    )
    .into();
    let begin = |_| {
        let (request, tally) = (Arc::clone(&request), Arc::clone(&tally));
        async move {
            let reader = Reader::open(relay.address, request.as_bytes(), Dialect::OpenAi, tally).await?;
            Ok(reader.follow(TOKENS))
        }
    };
    let readers = at_once(STREAMS, AT_ONCE, begin).await?;
    let window = Window::measure(relay.pid, &tally).await?;
    if tally.wrong() > 0 || tally.finished() > 0 {
        bail!("the relay lost {} tokens, and {} answers ended before the window did", tally.wrong(), tally.finished());
    }
    drop(readers);
    Ok(window)
}

/// The window, and how many tokens were lost, doubled or out of order.
async fn through_stoa(mock: &Upstream) -> anyhow::Result<(Window, u64)> {
    let directory = tempfile::tempdir()?;
    let allow = mock.address.to_string();
    let server = Stoa::start(directory.path(), &[("STOA_EGRESS_ALLOW", &allow)]).await?;
    let api = Api::sign_in(server.address).await?;
    api.add_mock(mock.address, &format!("rate={RATE};tokens={TOKENS}")).await?;
    let make = |_| {
        let api = api.clone();
        async move { api.new_conversation().await }
    };
    let conversations = at_once(STREAMS, AT_ONCE, make).await?;
    let tally = Arc::<Tally>::default();
    let started = Instant::now();
    let begin = |index: usize| {
        let (api, tally, conversation) = (api.clone(), Arc::clone(&tally), conversations.get(index).cloned());
        async move {
            let turn = api.say(&conversation.context("a conversation is missing")?, &count()).await?;
            let request = api.stream_request(&format!("/api/v1/generations/{}/events", turn.generation));
            let reader = Reader::open(api.address, request.as_bytes(), Dialect::Stoa, tally).await?;
            Ok(reader.follow(TOKENS))
        }
    };
    let readers = at_once(STREAMS, AT_ONCE, begin).await?;
    let ramp = started.elapsed();
    let window = Window::measure(server.pid, &tally).await?;
    if tally.finished() > 0 {
        bail!("beginning took {:.1} s: the first answers ended before the window did", ramp.as_secs_f64());
    }
    let rest = async {
        for reader in readers {
            reader.await?;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(2 * TOKENS / RATE), rest).await.context("the answers did not end in time")??;
    let expected = TOKENS * STREAMS as u64;
    let lost = tally.wrong().max(expected.saturating_sub(tally.tokens()));
    Report::say(&format!(
        "streams: begun in {:.1} s; {} of {STREAMS} answers whole, {} tokens of {expected}",
        ramp.as_secs_f64(),
        tally.finished(),
        tally.tokens(),
    ));
    Ok((window, lost))
}

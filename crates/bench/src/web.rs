//! `web`: how smooth the page stays in a real browser while an answer is streamed into a long conversation, and while a very
//! long one is opened and scrolled.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use stoa_storage::MasterKey;
use tokio::process::Command;
use tokio::time::timeout;

use crate::api::Api;
use crate::chat::seed::Seed;
use crate::processes::{EMAIL, PASSWORD, Stoa, Upstream};
use crate::report::{Better, Line, Report, median};

/// Turns of two messages.
const SHORT_TURNS: usize = 5;
const LONG_TURNS: usize = 1_000;
const VERY_LONG_TURNS: usize = 5_000;
/// Written during all of a measurement, faster than anybody reads.
const ANSWER: &str = "text=echo;rate=300";
/// A task that is longer holds the reader up: the limit of the Long Tasks standard.
const TASK_MS: f64 = 50.0;

/// What the browser program prints.
#[derive(Deserialize)]
struct Measured {
    idle: Seen,
    stream_short: Seen,
    stream_long: Seen,
    scroll: Seen,
    open_short_ms: Vec<f64>,
    open_long_ms: Vec<f64>,
}

#[derive(Deserialize)]
struct Seen {
    frames_per_second: f64,
    longest_task_ms: f64,
    blocked_ms_per_second: f64,
}

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let mock = Upstream::mock().await?;
    let directory = tempfile::tempdir()?;
    let key = MasterKey::generate();
    let mut seed = Seed::begin(directory.path(), &key).await?;
    let mut conversations = Vec::new();
    for turns in [SHORT_TURNS, LONG_TURNS, VERY_LONG_TURNS] {
        conversations.push(seed.conversation(turns).await?);
    }
    seed.end().await?;
    let (allow, key) = (mock.address.to_string(), key.to_hex());
    let server = Stoa::start(directory.path(), &[("STOA_EGRESS_ALLOW", &allow), ("STOA_MASTER_KEY", &key)]).await?;
    Api::sign_in(server.address).await?.add_mock(mock.address, ANSWER).await?;
    let mut command = Command::new("node");
    command
        .arg("e2e/long-conversations.mjs")
        .args([format!("http://{}", server.address).as_str(), EMAIL, PASSWORD])
        .args(&conversations)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(Duration::from_mins(3), command.output()).await.context("the browser took too long")??;
    if !output.status.success() {
        bail!("the browser program failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let measured: Measured = serde_json::from_slice(&output.stdout).context("the browser program said no figures")?;
    tell(report, &measured)
}

fn tell(report: &mut Report, seen: &Measured) -> anyhow::Result<()> {
    let idle = ("idle page", seen.idle.frames_per_second);
    let short = ("10 messages", seen.stream_short.blocked_ms_per_second);
    let runs = seen.open_long_ms.len();
    let lines = [
        Line::new("stream-2000-frames", (seen.stream_long.frames_per_second, "frames/s"), idle, Better::Higher, 1),
        Line::new(
            "stream-2000-longest",
            (seen.stream_long.longest_task_ms, "ms"),
            ("target", TASK_MS),
            Better::Lower,
            1,
        ),
        Line::new("stream-2000-blocked", (seen.stream_long.blocked_ms_per_second, "ms/s"), short, Better::Lower, 1),
        Line::new("scroll-10000-frames", (seen.scroll.frames_per_second, "frames/s"), idle, Better::Higher, 1),
        Line::new("scroll-10000-longest", (seen.scroll.longest_task_ms, "ms"), ("target", TASK_MS), Better::Lower, 1),
        Line::new(
            "open-10000",
            (median(&seen.open_long_ms), "ms"),
            ("10 messages", median(&seen.open_short_ms)),
            Better::Lower,
            runs,
        ),
    ];
    for line in lines {
        report.add(&line.of("web"))?;
    }
    Ok(())
}

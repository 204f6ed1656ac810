//! The same crowds at llama.cpp's own server, as the package `xllamacpp` builds it, with as many threads and slots.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::{Answer, Client};
use super::users::{CROWDS, ROUNDS, all_at_once, rate};
use super::{CONTEXT_TOKENS, Town};
use crate::local::model_file;
use crate::machine;
use crate::report::{Better, Line, Report, float, median, percentile};

const PEER: &str = "llama.cpp server (xllamacpp 2026.10.11549, its portable build)";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/xllamacpp_server.py");
/// A Python that has the package.
const PYTHON: &str = "STOA_BENCH_PYTHON";
const START: Duration = Duration::from_mins(1);
const SLOTS: usize = 16;

/// Ends with the value that holds it.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    async fn start(file: &Path) -> anyhow::Result<Self> {
        let python = std::env::var_os(PYTHON)
            .with_context(|| format!("{PYTHON} names no Python with xllamacpp; `./x bench` makes one"))?;
        let threads = std::thread::available_parallelism()?.get();
        let mut command = Command::new(python);
        command.arg(SCRIPT).arg(file).args([&threads.to_string(), &SLOTS.to_string(), CONTEXT_TOKENS]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("the peer cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("the peer says nothing")?).lines();
        let line = timeout(START, lines.next_line()).await.context("the peer did not start in time")??;
        let line = line.context("the peer has ended")?;
        let address = line.trim().strip_prefix("http://").context("the peer tells no address")?.parse()?;
        Ok(Self { child, address })
    }
}

pub(super) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let file = model_file()?;
    let peer = Peer::start(&file).await?;
    let town = Town::with(SLOTS).await?;
    let theirs: Vec<Client> = (0..SLOTS).map(|_| Client::without_key(peer.address)).collect();
    same_tokens(&town.people[0], &theirs[0]).await?;
    for crowd in &CROWDS {
        let (mut ours, mut others) = (Measured::default(), Measured::default());
        for round in 0..ROUNDS {
            ours.add(&all_at_once(town.people.get(..crowd.users).context("too few people")?, round).await?)?;
            others.add(&all_at_once(theirs.get(..crowd.users).context("too few people")?, round).await?)?;
        }
        Report::say(&format!("{} users: {:.1?} tokens/s, the peer {:.1?}", crowd.users, ours.rates, others.rates));
        let total = Line::new(
            crowd.peer_rate,
            (median(&ours.rates), "tokens/s"),
            (PEER, median(&others.rates)),
            Better::Higher,
            ROUNDS,
        );
        report.add(&total.of("models"))?;
        for (case, share) in [(crowd.peer_median, 0.5), (crowd.peer_slowest, 0.99)] {
            let value = (percentile(&ours.firsts, share), "ms");
            let line = Line::new(case, value, (PEER, percentile(&others.firsts, share)), Better::Lower, ROUNDS);
            report.add(&line.of("models"))?;
        }
    }
    let resident = |pid: u32| machine::resident_bytes(pid).map(|bytes| float(bytes) / 1_048_576.0);
    let worker = town.worker()?;
    let others = resident(peer.child.id().context("the peer has ended")?)?;
    let line = Line::new("resident-16-slots", (resident(worker)?, "MiB"), (PEER, others), Better::Lower, 1);
    Ok(report.add(&line.of("models"))?)
}

#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    firsts: Vec<f64>,
}

impl Measured {
    fn add(&mut self, answers: &[Answer]) -> anyhow::Result<()> {
        self.rates.push(rate(answers)?);
        self.firsts.extend(answers.iter().filter_map(Answer::first_token));
        Ok(())
    }
}

/// What is compared must be the same work: the same prompt, and the same tokens chosen.
async fn same_tokens(ours: &Client, theirs: &Client) -> anyhow::Result<()> {
    const QUESTION: &str = "What is the capital of France, and what is it known for?";
    let ours = ours.ask(QUESTION, 32).await?.context("the queue was full")?;
    let theirs = theirs.ask(QUESTION, 32).await?.context("the peer was busy")?;
    if (ours.prompt_tokens, &ours.text) != (theirs.prompt_tokens, &theirs.text) {
        bail!(
            "the two do not compute the same: {} prompt tokens and {:?}, the peer {} and {:?}",
            ours.prompt_tokens,
            ours.text,
            theirs.prompt_tokens,
            theirs.text
        );
    }
    Ok(())
}

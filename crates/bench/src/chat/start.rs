//! Start to ready on SQLite, warm, and the memory of a server that nobody uses yet.

use std::time::Duration;

use tokio::time::sleep;

use crate::machine;
use crate::processes::Stoa;
use crate::report::{Better, Line, Report, float, median};

const RUNS: usize = 11;
/// The target: milliseconds.
const START_MS: f64 = 100.0;
const IDLE_RUNS: usize = 3;
/// After it, what the start needed for a moment has been given back.
const REST: Duration = Duration::from_secs(3);
/// The target: MiB.
const IDLE_MIB: f64 = 60.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    // The first start makes the database and the owner, and warms the file cache.
    Stoa::start(directory.path(), &[]).await?.stop().await?;
    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for run in 0..RUNS {
        let server = Stoa::start(directory.path(), &[]).await?;
        starts.push(server.ready_after.as_secs_f64() * 1_000.0);
        if run < IDLE_RUNS {
            sleep(REST).await;
            resident.push(float(machine::resident_bytes(server.pid)?) / 1_048_576.0);
        }
        server.stop().await?;
    }
    report.add(&Line::new("start", (median(&starts), "ms"), ("target", START_MS), Better::Lower, RUNS))?;
    let idle = median(&resident);
    report.add(&Line::new("idle-memory", (idle, "MiB"), ("target", IDLE_MIB), Better::Lower, IDLE_RUNS))?;
    Ok(())
}

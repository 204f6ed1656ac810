//! The programs that are measured, each a process of its own. They end with the value that holds them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

pub(crate) const EMAIL: &str = "owner@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// No case opens more streams or answers.
const MANY: &str = "20000";

/// A server that is ready.
pub(crate) struct Stoa {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// From the start of the process to the line in its log that says so.
    pub(crate) ready_after: Duration,
    _log: AbortOnDropHandle<()>,
}

impl Stoa {
    /// Starts a server on the data in `directory`; the owner is made at the first start.
    pub(crate) async fn start(directory: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = stoa(directory)?;
        command.args(["serve"]).envs(variables.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn().context("stoa cannot be started")?;
        let pid = child.id().context("stoa ended at once")?;
        let stderr = child.stderr.take().context("stoa has no log")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut log = String::new();
        let address = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = address_in(&line, "ready at http://") {
                    return Ok(address);
                }
                log.push_str(&line);
                log.push('\n');
            }
            bail!("stoa ended instead of becoming ready:\n{log}")
        };
        let address = timeout(START_TIMEOUT, address).await.context("stoa did not become ready in time")??;
        let ready_after = begun.elapsed();
        Ok(Self { child, address, pid, ready_after, _log: follow_log(lines) })
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("stoa has no process id")?;
        kill_process(pid, Signal::TERM)?;
        timeout(STOP_TIMEOUT, self.child.wait()).await.context("stoa did not stop in time")??;
        Ok(())
    }
}

/// Keeps the pipe of the log empty, and shows what went wrong in the server.
fn follow_log<R: AsyncBufRead + Unpin + Send + 'static>(mut lines: tokio::io::Lines<R>) -> AbortOnDropHandle<()> {
    let tracker = tokio_util::task::TaskTracker::new();
    AbortOnDropHandle::new(tracker.spawn(async move {
        let mut shown = 0;
        while let Ok(Some(line)) = lines.next_line().await {
            // The first few tell; thousands of the same would only cost time.
            if shown < 10 && (line.contains("WARN") || line.contains("ERROR")) {
                shown += 1;
                crate::report::Report::say(&format!("stoa: {line}"));
            }
        }
    }))
}

/// The program with nothing of this environment but the path.
fn stoa(directory: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program("STOA_BIN", "stoa")?);
    command
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("STOA_DATA_DIR", directory).env("STOA_LISTEN", "127.0.0.1:0").env("STOA_OLLAMA_LISTEN", "off");
    command.env("STOA_OWNER_EMAIL", EMAIL).env("STOA_OWNER_PASSWORD", PASSWORD);
    command.env("STOA_TITLES", "false").env("STOA_LOG_FORMAT", "text").env("STOA_LOG", "warn,stoa=info");
    command.env("STOA_DRAIN_SECONDS", "1").env("STOA_ANSWERS_PER_USER", MANY).env("STOA_STREAMS_PER_USER", MANY);
    Ok(command)
}

/// Brings a local model into the store of `directory`.
pub(crate) async fn import_model(directory: &Path, file: &Path, name: &str) -> anyhow::Result<()> {
    let mut command = stoa(directory)?;
    command.args(["model", "import"]).arg(file).args(["--name", name]).stdout(Stdio::null());
    let done = timeout(Duration::from_mins(1), command.status()).await.context("the import took too long")??;
    if !done.success() {
        bail!("stoa model import {} failed", file.display());
    }
    Ok(())
}

/// The mock provider, or the floor before it: a program that prints its address.
pub(crate) struct Upstream {
    _child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Upstream {
    pub(crate) async fn mock() -> anyhow::Result<Self> {
        Self::start(Command::new(program("MOCK_OPENAI_BIN", "mock-openai")?)).await.context("the mock provider")
    }

    pub(crate) async fn relay(upstream: SocketAddr) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["relay", &upstream.to_string()]);
        Self::start(command).await.context("the relay")
    }

    async fn start(mut command: Command) -> anyhow::Result<Self> {
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("it cannot be started")?;
        let pid = child.id().context("it ended at once")?;
        let mut lines = BufReader::new(child.stdout.take().context("it has no output")?).lines();
        let line = timeout(START_TIMEOUT, lines.next_line()).await.context("it did not start in time")??;
        let address = line.and_then(|line| address_in(&line, "http://")).context("it did not say its address")?;
        Ok(Self { _child: child, address, pid })
    }
}

fn address_in(line: &str, before: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(before)?;
    rest.split_whitespace().next()?.trim_matches('"').parse().ok()
}

/// A program of this workspace: named by the environment, or beside this one.
fn program(variable: &str, name: &str) -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name(name),
    };
    if !path.is_file() {
        bail!("{} is missing: build it first, or set {variable}", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_the_log() {
        let line = "2026-01-01T00:00:00Z  INFO stoa::serve: ready at http://127.0.0.1:4321 address=127.0.0.1:4321";
        assert_eq!(address_in(line, "ready at http://"), Some("127.0.0.1:4321".parse().unwrap()));
        assert_eq!(address_in("INFO starting", "ready at http://"), None);
    }
}

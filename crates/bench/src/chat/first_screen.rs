//! JavaScript that the first screen costs, counted on the wire in a real browser.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::processes::{EMAIL, PASSWORD, Stoa};
use crate::report::{Better, Line, Report};

/// The target: KiB, gzipped.
const SCRIPT_KIB: f64 = 140.0;

/// What the browser program prints.
#[derive(Deserialize)]
struct Measured {
    /// The page of somebody who is not signed in.
    sign_in_bytes: f64,
    /// The chat, ready to be written in.
    chat_bytes: f64,
    requests: usize,
}

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let directory = tempfile::tempdir()?;
    let server = Stoa::start(directory.path(), &[]).await?;
    let mut command = Command::new("node");
    command
        .arg("e2e/first-screen.mjs")
        .args([format!("http://{}", server.address).as_str(), EMAIL, PASSWORD])
        .current_dir(&web)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(Duration::from_mins(1), command.output()).await.context("the browser took too long")??;
    if !output.status.success() {
        bail!("the browser program failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let measured: Measured = serde_json::from_slice(&output.stdout).context("the browser program said no figures")?;
    let runs = measured.requests;
    let chat = measured.chat_bytes / 1_024.0;
    report.add(&Line::new("first-screen-chat", (chat, "KiB"), ("target", SCRIPT_KIB), Better::Lower, runs))?;
    let sign_in = measured.sign_in_bytes / 1_024.0;
    report.add(&Line::new("first-screen-sign-in", (sign_in, "KiB"), ("target", SCRIPT_KIB), Better::Lower, runs))?;
    Ok(())
}

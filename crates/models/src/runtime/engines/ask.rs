//! Asks a program which devices it can compute on.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::EngineFault;
use crate::protocol::{Device, DeviceList, LIST_DEVICES, VERSION};
use crate::runtime::environment;
use crate::runtime::options::WorkerProgram;

/// Far more than a list of devices takes.
const MAX_BYTES: u64 = 64 * 1024;

/// Characters of what a program said that people read.
const SHOWN_CHARACTERS: usize = 200;

/// Starts `program`, which has `patience` to answer, and no longer.
pub(super) async fn ask(program: &WorkerProgram, patience: Duration) -> Result<Vec<Device>, EngineFault> {
    // The process is killed as the future is dropped.
    timeout(patience, answer(program)).await.unwrap_or(Err(EngineFault::Hung { after: patience }))
}

async fn answer(program: &WorkerProgram) -> Result<Vec<Device>, EngineFault> {
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .arg(LIST_DEVICES)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    environment::clean(&mut command, true);
    let mut child = command.spawn().map_err(EngineFault::Start)?;
    let (output, errors) = tokio::join!(read(child.stdout.take()), read(child.stderr.take()));
    if output.len() as u64 > MAX_BYTES {
        return Err(EngineFault::Unreadable);
    }
    let status = child.wait().await.map_err(EngineFault::Start)?;
    if !status.success() {
        let said = String::from_utf8_lossy(&errors);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let said = last.chars().filter(|character| !character.is_control()).take(SHOWN_CHARACTERS).collect();
        return Err(EngineFault::Ended { status, said });
    }
    understand(&output)
}

/// As much as is taken, and one byte more of what is longer.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error is judged like any other answer.
        let _ = pipe.take(MAX_BYTES + 1).read_to_end(&mut bytes).await;
    }
    bytes
}

/// What programs of every version say.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

fn understand(output: &[u8]) -> Result<Vec<Device>, EngineFault> {
    let unreadable = |_| EngineFault::Unreadable;
    let AnyVersion { version } = serde_json::from_slice(output).map_err(unreadable)?;
    if version != VERSION {
        return Err(EngineFault::Version { theirs: version });
    }
    let list: DeviceList = serde_json::from_slice(output).map_err(unreadable)?;
    if list.is_sound() { Ok(list.devices) } else { Err(EngineFault::Unreadable) }
}

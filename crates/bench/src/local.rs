//! What the benches of local models share: the file, and the bare llama.cpp loop beside the server.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio::time::timeout;

/// What the bare loop measured.
pub(crate) struct Raw {
    /// Seconds for all prompts, one after the other.
    pub(crate) prefill_seconds: f64,
    /// Tokens a second of all sequences together.
    pub(crate) decode_per_second: f64,
}

/// The bare loop runs in a process of its own, so that nothing of it stays when it is over.
pub(crate) async fn raw_decode(file: &Path, sequences: u64, prompt_tokens: u64, tokens: u64) -> anyhow::Result<Raw> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("raw-decode").arg(file);
    command.args([prompt_tokens.to_string(), tokens.to_string(), sequences.to_string()]);
    // As the server starts its workers, so that a busy machine slows both down alike.
    command.env("GOMP_SPINCOUNT", "300").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_mins(2), command.output()).await.context("the bare loop took too long")??;
    if !output.status.success() {
        bail!("the bare loop failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let (prefill, decode) = text.trim().split_once(' ').context("the bare loop says something else")?;
    Ok(Raw { prefill_seconds: prefill.parse()?, decode_per_second: decode.parse()? })
}

pub(crate) fn model_file() -> anyhow::Result<PathBuf> {
    let starter = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let file = std::env::var_os("STOA_TEST_MODEL").map_or_else(starter, PathBuf::from);
    if !file.is_file() {
        bail!("there is no model: set STOA_TEST_MODEL to a GGUF file, or let `./x test` or `./x run` fetch one");
    }
    Ok(file)
}

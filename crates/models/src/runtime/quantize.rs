//! Packs the weights of a model anew, in a locked worker of its own that may write one file.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Runtime;
use super::process::{LastWords, clause, ending};
use crate::protocol::{Quantization, QuantizeArguments};

/// How often it is looked how much has been written.
const LOOK: Duration = Duration::from_millis(250);

/// What a file may have more than the one it was made from: some kinds of weights take more room in others.
const SLACK_BYTES: u64 = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    #[error("the worker that packs weights could not be started")]
    Spawn(#[source] std::io::Error),
    #[error("the worker that packs weights {ending}{}", clause(last_words))]
    Failed { ending: String, last_words: String },
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the worker that packs weights wrote nothing for {} seconds and was ended", after.as_secs())]
    Stalled { after: Duration },
}

impl Runtime {
    /// Reads the weights in `model` and writes them to the empty file `output`. One at a time; `progress` learns how many
    /// bytes have been written. Dropped, it ends the worker.
    pub async fn quantize(
        &self,
        model: &Path,
        output: &Path,
        to: Quantization,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<(), QuantizeError> {
        let _turn = self.quantizing.lock().await;
        let options = &self.context.options;
        let source_bytes = std::fs::metadata(model).map_err(QuantizeError::Spawn)?.len();
        let arguments = QuantizeArguments {
            to,
            parent: std::process::id(),
            threads: options.threads.unwrap_or(0),
            most_bytes: source_bytes.saturating_add(SLACK_BYTES),
            model: model.to_owned(),
            output: output.to_owned(),
        };
        let spawned = self.context.spawner.spawn(options.worker.clone(), arguments.to_arguments(), false).await;
        let mut child = spawned.map_err(QuantizeError::Spawn)?.child;
        let mut last_words = LastWords::listen(child.stderr.take(), &self.tracker);
        let (mut written, mut since) = (0, Instant::now());
        let status = loop {
            tokio::select! {
                ended = child.wait() => break ended.map_err(QuantizeError::Spawn)?,
                () = sleep(LOOK) => {}
                // The worker ends as it is dropped.
                () = self.context.shutdown.cancelled() => return Err(QuantizeError::ShuttingDown),
            }
            let length = std::fs::metadata(output).map_or(0, |file| file.len());
            if length > written {
                (written, since) = (length, Instant::now());
                progress(written);
            }
            if since.elapsed() > options.load_timeout {
                let _ = child.kill().await;
                return Err(QuantizeError::Stalled { after: options.load_timeout });
            }
        };
        if status.success() {
            return Ok(());
        }
        Err(QuantizeError::Failed { ending: ending(Some(status)), last_words: last_words.take().await })
    }
}

//! What a worker last wrote to its standard error.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Bytes that are kept.
const KEPT_BYTES: usize = 16 * 1024;

/// Characters of it that go into an error that people read.
const SHOWN_CHARACTERS: usize = 200;

/// How long the end of the stream is waited for once the process has ended.
const END: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(in crate::runtime) struct LastWords {
    kept: Arc<Mutex<VecDeque<u8>>>,
    ended: watch::Receiver<bool>,
}

impl LastWords {
    pub(in crate::runtime) fn listen(stderr: Option<ChildStderr>, tracker: &TaskTracker) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT_BYTES)));
        let (end, ended) = watch::channel(false);
        let ring = Arc::clone(&kept);
        tracker.spawn(async move {
            if let Some(mut stderr) = stderr {
                let mut bytes = vec![0; 4_096];
                while let Ok(length @ 1..) = stderr.read(&mut bytes).await {
                    let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
                    ring.extend(&bytes[..length]);
                    let surplus = ring.len().saturating_sub(KEPT_BYTES);
                    ring.drain(..surplus);
                }
            }
            // Nobody may be listening any more.
            let _ = end.send(true);
        });
        Self { kept, ended }
    }

    /// The last line, for people; all of it goes to the log.
    pub(in crate::runtime) async fn take(&mut self) -> String {
        let _ = tokio::time::timeout(END, self.ended.wait_for(|ended| *ended)).await;
        let bytes: Vec<u8> = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.drain(..).collect()
        };
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        if !text.is_empty() {
            tracing::warn!(stderr = text, "the last words of a model worker");
        }
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        last.chars().filter(|character| !character.is_control()).take(SHOWN_CHARACTERS).collect()
    }
}

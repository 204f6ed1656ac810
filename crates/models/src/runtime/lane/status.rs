//! What a lane tells about itself, to operators and to metrics.

use std::collections::VecDeque;
use std::time::Duration;

use stoa_model::Timestamp;
use stoa_model::completion::KeepAlive;

use crate::protocol::Confinement;
use crate::runtime::engines::DeviceId;
use stoa_model_store::Digest;

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// Nothing is loaded.
    Cold,
    /// Waiting for another model to make room, or for the end of a pause after failures.
    Waiting,
    Loading,
    Idle,
    Busy,
}

/// A lane as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    pub model: String,
    pub digest: Digest,
    pub state: LaneState,
    pub worker_id: Option<u32>,
    /// Memory of the worker that is in use; the part of the weights that has been read is in it.
    pub resident_bytes: Option<u64>,
    /// What it was expected to take when it was let in; `None` when it was not.
    pub estimated_bytes: Option<u64>,
    /// How the worker has locked itself in; `None` when nothing is loaded.
    pub confinement: Option<Confinement>,
    /// The engine that its worker was started from; `None` for the processor, or when nothing is loaded.
    pub engine: Option<String>,
    /// What it has on devices.
    pub devices: Vec<DeviceShare>,
    /// Layers that it has in all; what is behind the last of them counts as one. 0 when nothing is loaded.
    pub layers: u32,
    /// Why it runs with fewer layers on devices than there seemed to be room for.
    pub fallback: Option<String>,
    /// Of that, what lies in files, above all the weights: the kernel keeps one copy of it for all who read the file, and
    /// takes it back when memory gets short.
    pub mapped_bytes: Option<u64>,
    /// Tokens of prompt and answer together.
    pub context_window: u32,
    /// Requests that the worker takes at once; 0 when nothing is loaded.
    pub slots: u32,
    /// Tokens whose keys and values it holds, as it told within the last seconds; those kept for next turns among them.
    pub context_tokens: u64,
    /// Requests that it is at work on.
    pub running: usize,
    pub queued: usize,
    /// Those who have something running or waiting, or asked within the last minute.
    pub people: usize,
    pub keep_alive: KeepAlive,
    /// It is unloaded as soon as what runs has ended; nothing new begins until then.
    pub leaving: bool,
    /// When the model is unloaded if nobody asks for it any more; `None` when nothing is loaded, or it stays for ever.
    pub expires_at: Option<Timestamp>,
    /// Requests that came to an end, good or cancelled.
    pub served: u64,
    /// Workers that failed since the lane opened.
    pub failures: u64,
    pub last_failure: Option<String>,
    /// The middle of how long the latest requests waited for their turn.
    pub wait_p50: Option<Duration>,
    /// The middle of how long the latest answers took to their first text, waiting included.
    pub first_token_p50: Option<Duration>,
}

/// A part of a loaded model on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceShare {
    pub id: DeviceId,
    /// As its engine calls it.
    pub name: String,
    pub layers: u32,
    pub bytes: u64,
}

/// How many of the latest durations are remembered.
const KEPT: usize = 128;

/// The latest durations of something.
#[derive(Debug, Default)]
pub(super) struct Latest {
    durations: VecDeque<Duration>,
}

impl Latest {
    pub(super) fn push(&mut self, duration: Duration) {
        if self.durations.len() == KEPT {
            self.durations.pop_front();
        }
        self.durations.push_back(duration);
    }

    pub(super) fn median(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.durations.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_latest() {
        let mut latest = Latest::default();
        assert_eq!(latest.median(), None);
        for second in 0..1_000 {
            latest.push(Duration::from_secs(second));
        }
        assert_eq!(latest.durations.len(), KEPT);
        assert_eq!(latest.median(), Some(Duration::from_secs(936)));
    }
}

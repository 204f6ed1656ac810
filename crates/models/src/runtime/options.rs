//! What an operator may set about local models.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::engines::DeviceChoice;
use crate::memory::MemoryBound;
use crate::protocol::Processor;
use stoa_model_store::StoredModel;

/// How a worker is started: this program with these arguments, and the worker's own behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

impl WorkerProgram {
    /// This very program with its hidden subcommand.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: vec!["model-worker".into()] })
    }
}

#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    pub worker: WorkerProgram,
    /// How long an idle worker stays where no request says otherwise.
    pub keep_alive: Duration,
    /// The largest context in tokens, whatever a model was made for. Its memory grows with it.
    pub context_limit: u32,
    /// Requests that a worker runs at once; as many as `context_bytes` hold, but at least 4, when absent.
    pub slots: Option<u32>,
    /// Memory for what the requests of one worker have to remember; 1 GiB when absent.
    pub context_bytes: Option<u64>,
    /// Models that may be loaded at once, whatever memory they take.
    pub max_loaded: usize,
    /// What all of them may take together.
    pub memory: MemoryBound,
    /// Requests of one person that may wait for one model.
    pub queue_per_user: usize,
    /// Requests of all that may wait for one model.
    pub queue_per_model: usize,
    /// After so long without a sign of life a worker is hung. While it loads, it has at least 30 seconds.
    pub hang_timeout: Duration,
    /// After so long without a step of its computation a busy worker is stuck, alive or not.
    pub stall_timeout: Duration,
    /// After so long without progress a loading worker is stuck.
    pub load_timeout: Duration,
    /// The pause before a worker that failed is started again. It doubles with every failure in a row.
    pub first_backoff: Duration,
    pub longest_backoff: Duration,
    /// Threads of a worker; as many as there are physical cores to use when absent.
    pub threads: Option<u32>,
    /// Bytes of address space of a worker.
    pub memory_bytes: Option<u64>,
    pub processor: Processor,
    /// A folder of programs that run workers on devices: this one's workers compute on the processor alone.
    pub engines: Option<PathBuf>,
    /// `worker` computes on devices itself.
    pub own_devices: bool,
    pub devices: DeviceChoice,
    /// Layers of a model that may be on devices at most; as many as fit when absent.
    pub device_layers: Option<u32>,
    /// How long an engine may take to say which devices it has. Drivers of large machines need seconds to start.
    pub engine_timeout: Duration,
    /// What models may take of each device.
    pub device_memory: MemoryBound,
}

impl RuntimeOptions {
    pub const fn new(worker: WorkerProgram) -> Self {
        Self {
            worker,
            keep_alive: Duration::from_mins(5),
            context_limit: 8_192,
            slots: None,
            context_bytes: None,
            max_loaded: 16,
            memory: MemoryBound::Share { percent: 80 },
            queue_per_user: 8,
            queue_per_model: 64,
            hang_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_mins(3),
            load_timeout: Duration::from_mins(5),
            first_backoff: Duration::from_millis(250),
            longest_backoff: Duration::from_mins(1),
            threads: None,
            memory_bytes: None,
            processor: Processor::Best,
            engines: None,
            own_devices: false,
            devices: DeviceChoice::Cards,
            device_layers: None,
            engine_timeout: Duration::from_secs(10),
            device_memory: MemoryBound::Share { percent: 90 },
        }
    }

    /// Tokens of prompt and answer together that `model` gets.
    pub fn context_window(&self, model: &StoredModel) -> u32 {
        model.gguf.context_length.min(self.context_limit)
    }
}

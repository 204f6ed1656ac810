//! What a worker is started with: arguments, since the socket is not read before it knows its parent.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::devices::{DeviceLayers, MAX_DEVICES};

/// The socket is the worker's standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerArguments {
    /// The file with the model's weights.
    pub model: PathBuf,
    /// The file with its eye.
    pub projector: Option<PathBuf>,
    /// The file with the changes of its weights.
    pub adapter: Option<PathBuf>,
    /// Tokens of each sequence, prompt and answer together.
    pub context_window: u32,
    /// Sequences that run at once; as many as `context_bytes` hold when absent.
    pub slots: Option<u32>,
    /// Memory for the contexts of all sequences; a default when absent.
    pub context_bytes: Option<u64>,
    /// The process that started the worker, and whose death ends it.
    pub parent: u32,
    /// Threads that compute; as many as there are physical cores to use when absent.
    pub threads: Option<u32>,
    /// Bytes of address space the worker may have.
    pub memory_bytes: Option<u64>,
    pub processor: Processor,
    /// Layers that are not on the processor: the last ones of the model, in this order.
    pub devices: Vec<DeviceLayers>,
}

/// Which instructions the worker computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processor {
    /// The best that this processor has.
    #[default]
    Best,
    /// Those that every supported processor has.
    Baseline,
}

#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    #[error("`{0}` is no argument of a model worker")]
    Unknown(String),
    #[error("`{0}` needs a value")]
    NoValue(&'static str),
    #[error("the value of `{0}` is not valid")]
    Invalid(&'static str),
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

const MODEL: &str = "--model";
const PROJECTOR: &str = "--projector";
const ADAPTER: &str = "--adapter";
const CONTEXT: &str = "--context";
const SLOTS: &str = "--slots";
const CONTEXT_BYTES: &str = "--context-bytes";
const PARENT: &str = "--parent";
const THREADS: &str = "--threads";
const MEMORY: &str = "--memory-bytes";
const PROCESSOR: &str = "--processor";
const DEVICE: &str = "--device";

impl WorkerArguments {
    pub fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![
            MODEL.into(),
            self.model.clone().into_os_string(),
            CONTEXT.into(),
            self.context_window.to_string().into(),
            PARENT.into(),
            self.parent.to_string().into(),
        ];
        if let Some(projector) = &self.projector {
            arguments.extend([PROJECTOR.into(), projector.clone().into_os_string()]);
        }
        if let Some(adapter) = &self.adapter {
            arguments.extend([ADAPTER.into(), adapter.clone().into_os_string()]);
        }
        if let Some(slots) = self.slots {
            arguments.extend([SLOTS.into(), slots.to_string().into()]);
        }
        if let Some(bytes) = self.context_bytes {
            arguments.extend([CONTEXT_BYTES.into(), bytes.to_string().into()]);
        }
        if let Some(threads) = self.threads {
            arguments.extend([THREADS.into(), threads.to_string().into()]);
        }
        if let Some(bytes) = self.memory_bytes {
            arguments.extend([MEMORY.into(), bytes.to_string().into()]);
        }
        if self.processor == Processor::Baseline {
            arguments.extend([PROCESSOR.into(), "baseline".into()]);
        }
        for device in &self.devices {
            arguments.extend([DEVICE.into(), device.to_string().into()]);
        }
        arguments
    }

    /// What the worker reads.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.model).chain(&self.projector).chain(&self.adapter).map(PathBuf::as_path)
    }

    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgumentError> {
        let (mut model, mut context_window, mut parent) = (None, None, None);
        let (mut projector, mut adapter, mut slots, mut context_bytes) = (None, None, None, None);
        let (mut threads, mut memory_bytes, mut processor) = (None, None, Processor::Best);
        let mut devices: Vec<DeviceLayers> = Vec::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |name| arguments.next().ok_or(ArgumentError::NoValue(name));
            match argument.to_str() {
                Some(MODEL) => model = Some(PathBuf::from(value(MODEL)?)),
                Some(PROJECTOR) => projector = Some(PathBuf::from(value(PROJECTOR)?)),
                Some(ADAPTER) => adapter = Some(PathBuf::from(value(ADAPTER)?)),
                Some(CONTEXT) => context_window = Some(number(CONTEXT, &value(CONTEXT)?)?),
                Some(SLOTS) => slots = Some(number(SLOTS, &value(SLOTS)?)?),
                Some(CONTEXT_BYTES) => context_bytes = Some(number(CONTEXT_BYTES, &value(CONTEXT_BYTES)?)?),
                Some(PARENT) => parent = Some(number(PARENT, &value(PARENT)?)?),
                Some(THREADS) => threads = Some(number(THREADS, &value(THREADS)?)?),
                Some(MEMORY) => memory_bytes = Some(number(MEMORY, &value(MEMORY)?)?),
                Some(PROCESSOR) => {
                    processor = match value(PROCESSOR)?.to_str() {
                        Some("best") => Processor::Best,
                        Some("baseline") => Processor::Baseline,
                        _ => return Err(ArgumentError::Invalid(PROCESSOR)),
                    }
                }
                Some(DEVICE) => {
                    let layers = value(DEVICE)?.to_str().and_then(|text| text.parse().ok());
                    let layers: DeviceLayers = layers.ok_or(ArgumentError::Invalid(DEVICE))?;
                    if devices.len() >= MAX_DEVICES || devices.iter().any(|other| other.device == layers.device) {
                        return Err(ArgumentError::Invalid(DEVICE));
                    }
                    devices.push(layers);
                }
                _ => return Err(ArgumentError::Unknown(argument.to_string_lossy().into_owned())),
            }
        }
        Ok(Self {
            model: model.ok_or(ArgumentError::Missing(MODEL))?,
            projector,
            adapter,
            context_window: context_window.ok_or(ArgumentError::Missing(CONTEXT))?,
            slots,
            context_bytes,
            parent: parent.ok_or(ArgumentError::Missing(PARENT))?,
            threads,
            memory_bytes,
            processor,
            devices,
        })
    }
}

fn number<T: FromStr>(name: &'static str, value: &OsStr) -> Result<T, ArgumentError> {
    value.to_str().and_then(|value| value.parse().ok()).ok_or(ArgumentError::Invalid(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let all = WorkerArguments {
            model: "/models/a b.gguf".into(),
            projector: Some("/models/eye.gguf".into()),
            adapter: Some("/models/manner.gguf".into()),
            context_window: 8_192,
            slots: Some(6),
            context_bytes: Some(1 << 30),
            parent: 42,
            threads: Some(2),
            memory_bytes: Some(1 << 40),
            processor: Processor::Baseline,
            devices: ["CUDA0=20", "CUDA1=13"].map(|layers| layers.parse().unwrap()).into(),
        };
        assert_eq!(WorkerArguments::parse(all.to_arguments()).unwrap(), all);
        let few = WorkerArguments {
            projector: None,
            adapter: None,
            slots: None,
            context_bytes: None,
            threads: None,
            memory_bytes: None,
            processor: Processor::Best,
            devices: Vec::new(),
            ..all
        };
        assert_eq!(WorkerArguments::parse(few.to_arguments()).unwrap(), few);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for arguments in [
            vec!["--model", "m"],
            vec!["--context"],
            vec!["--parent", "x"],
            vec!["--port", "1"],
            vec!["--device", "CUDA0"],
            vec!["--device", "A=1", "--device", "A=2"],
        ] {
            assert!(WorkerArguments::parse(arguments.into_iter().map(OsString::from)).is_err());
        }
    }
}

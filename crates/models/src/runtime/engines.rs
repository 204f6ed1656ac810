//! Programs beside this one that compute on devices: which there are, and which devices each has at this moment.
//!
//! `docs/decisions/0015-graphics-processors.md` says why they are programs and not libraries.

mod ask;
mod choice;
mod folder;

use std::process::ExitStatus;
use std::sync::Mutex as Shelf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::locked;
use super::options::{RuntimeOptions, WorkerProgram};
use crate::protocol::{Device, DeviceKind, VERSION};

pub use choice::{DeviceChoice, NoDeviceChoice};

/// A program that failed is asked again after so long.
const AGAIN: Duration = Duration::from_mins(5);

/// Why an engine is left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineFault {
    #[error("the folder cannot be read: {0}")]
    Folder(std::io::Error),
    #[error("others may write to it or to its folder, so it is not run")]
    Writable,
    #[error("it could not be started: {0}")]
    Start(std::io::Error),
    #[error("it did not say within {} seconds which devices it has", after.as_secs_f32().ceil())]
    Hung { after: Duration },
    #[error("it ended with {status}{}", if said.is_empty() { String::new() } else { format!(" (it said: {said})") })]
    Ended { status: ExitStatus, said: String },
    #[error("it sent something unreadable instead of its devices")]
    Unreadable,
    #[error("it speaks version {theirs} of the worker protocol, not {VERSION}: build it from the same sources")]
    Version { theirs: u32 },
}

/// A device by what it is, whichever program computes on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(String);

/// A device of an engine that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineDevice {
    pub id: DeviceId,
    pub device: Device,
    /// Workers may compute on it: it is named by the operator, or a card of its own where nothing is named.
    pub chosen: bool,
}

/// A program that answers, and the devices it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) name: String,
    pub(super) program: WorkerProgram,
    /// Those that may be used, the preferred ones first.
    pub(super) devices: Vec<EngineDevice>,
}

/// An engine as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineStatus {
    /// The name of its file, or that of a folder that cannot be read.
    pub name: String,
    /// All that it has, or why it is left out.
    pub devices: Result<Vec<EngineDevice>, String>,
}

struct Known {
    name: String,
    program: WorkerProgram,
    devices: Result<Vec<Device>, String>,
    asked: Option<Instant>,
}

pub(super) struct Engines {
    choice: DeviceChoice,
    patience: Duration,
    /// Left out whatever they would say.
    refused: Vec<EngineStatus>,
    known: Mutex<Vec<Known>>,
    /// What was last found, for those who do not want to wait.
    latest: Shelf<Vec<EngineStatus>>,
    /// Rises whenever what was found is known to be old.
    changes: AtomicU64,
    seen: AtomicU64,
}

impl Engines {
    /// Reads the folder, once. Nothing is started yet.
    pub(super) fn find(options: &RuntimeOptions) -> Self {
        let mut found = Vec::new();
        if options.devices == DeviceChoice::Off {
            return Self::of(options, found);
        }
        if options.own_devices {
            found.push((OWN.to_owned(), Ok(options.worker.clone())));
        }
        if let Some(folder) = &options.engines {
            match folder::read(folder) {
                Ok(programs) => found.extend(programs),
                Err(error) => found.push((folder.display().to_string(), Err(EngineFault::Folder(error)))),
            }
        }
        Self::of(options, found)
    }

    fn of(options: &RuntimeOptions, found: Vec<(String, Result<WorkerProgram, EngineFault>)>) -> Self {
        let (mut refused, mut known) = (Vec::new(), Vec::new());
        for (name, program) in found {
            match program {
                Ok(program) => known.push(Known { name, program, devices: Ok(Vec::new()), asked: None }),
                Err(fault) => {
                    tracing::warn!(engine = name, %fault, "an engine is left out");
                    refused.push(EngineStatus { name, devices: Err(fault.to_string()) });
                }
            }
        }
        Self {
            choice: options.devices.clone(),
            patience: options.engine_timeout,
            latest: Shelf::new(refused.clone()),
            refused,
            known: Mutex::new(known),
            changes: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        }
    }

    /// What was found is old from now on: a worker has come or gone.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// As they were at the last look.
    pub(super) fn status(&self) -> Vec<EngineStatus> {
        locked(&self.latest).clone()
    }

    /// The engines that have devices which may be used, as they are now, or were less than `age` ago.
    pub(super) async fn look(&self, age: Duration) -> Vec<Engine> {
        let mut known = self.known.lock().await;
        if known.is_empty() {
            return Vec::new();
        }
        let changes = self.changes.load(Ordering::Relaxed);
        let is_old = self.seen.load(Ordering::Relaxed) != changes;
        let asking = known.iter_mut().map(|known| known.ask_again(is_old, age, self.patience));
        futures_util::future::join_all(asking).await;
        // Not before: whoever asks may be dropped meanwhile.
        self.seen.store(changes, Ordering::Relaxed);
        let found = || {
            known.iter().map(|known| EngineStatus { name: known.name.clone(), devices: known.devices(&self.choice) })
        };
        *locked(&self.latest) = found().chain(self.refused.iter().cloned()).collect();
        let mut engines: Vec<Engine> = known.iter().filter_map(|known| self.engine(known)).collect();
        // Of those that could do the same, the one with the device that is wanted most.
        engines.sort_by_key(|engine| {
            engine.devices.first().and_then(|device| self.choice.place(&engine.name, &device.device.name))
        });
        engines
    }

    fn engine(&self, known: &Known) -> Option<Engine> {
        let mut devices = known.devices(&self.choice).ok()?;
        devices.retain(|device| device.chosen);
        devices.sort_by_key(|device| self.choice.place(&known.name, &device.device.name));
        (!devices.is_empty()).then(|| Engine { name: known.name.clone(), program: known.program.clone(), devices })
    }
}

/// How this very program is called where it computes on devices itself.
const OWN: &str = "built in";

impl Known {
    async fn ask_again(&mut self, is_old: bool, age: Duration, patience: Duration) {
        let due = match (&self.asked, &self.devices) {
            (None, _) => true,
            (Some(asked), Err(_)) => asked.elapsed() >= AGAIN,
            (Some(asked), Ok(_)) => is_old || asked.elapsed() >= age,
        };
        if !due {
            return;
        }
        let answer = ask::ask(&self.program, patience).await.map_err(|fault| fault.to_string());
        match &answer {
            Err(fault) if self.devices.as_ref().err() != Some(fault) => {
                tracing::warn!(engine = self.name, fault, "an engine is left out");
            }
            Ok(devices) if self.asked.is_none() => {
                for device in devices {
                    tracing::info!(
                        engine = self.name,
                        device = device.name,
                        description = device.description,
                        total_bytes = device.total_bytes,
                        free_bytes = device.free_bytes,
                        "a device for local models"
                    );
                }
            }
            _ => {}
        }
        self.devices = answer;
        self.asked = Some(Instant::now());
    }

    fn devices(&self, choice: &DeviceChoice) -> Result<Vec<EngineDevice>, String> {
        let devices = self.devices.clone()?;
        Ok(devices
            .into_iter()
            .map(|device| EngineDevice {
                id: DeviceId::of(&self.name, &device),
                chosen: choice.takes(&self.name, &device),
                device,
            })
            .collect())
    }
}

impl DeviceId {
    fn of(engine: &str, device: &Device) -> Self {
        // What shares the memory of the machine, or has none, may share an address with something else.
        let address = device.address.as_ref().filter(|_| device.kind == DeviceKind::Discrete);
        Self(address.cloned().unwrap_or_else(|| format!("{engine}/{}", device.name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;

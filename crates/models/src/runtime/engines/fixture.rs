//! Engines for tests that start none.

use super::{DeviceId, Engine, EngineDevice};
use crate::protocol::{Device, DeviceKind};
use crate::runtime::options::WorkerProgram;

/// With devices of so many free MiB.
pub(in crate::runtime) fn engine(name: &str, devices: &[(&str, u64)]) -> Engine {
    let devices = devices.iter().map(|(device, mebibytes)| {
        let device = Device {
            name: (*device).to_owned(),
            description: "A card".to_owned(),
            address: None,
            kind: DeviceKind::Discrete,
            total_bytes: mebibytes << 20,
            free_bytes: mebibytes << 20,
        };
        EngineDevice { id: DeviceId::of(name, &device), device, chosen: true }
    });
    Engine {
        name: name.to_owned(),
        program: WorkerProgram { program: name.into(), arguments: Vec::new() },
        devices: devices.collect(),
    }
}

//! The devices of all engines together, as operators see them.

use std::time::Duration;

use super::Runtime;
use super::engines::{DeviceId, EngineDevice};
use crate::protocol::Device;

/// A device that models may use. One that several engines show is here once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    pub id: DeviceId,
    /// As the first engine that has it calls it.
    pub engine: String,
    pub device: Device,
    /// What all models may take of it together.
    pub bound_bytes: u64,
    /// What they take, or will once they are loaded.
    pub models_bytes: u64,
}

impl Runtime {
    /// Asks drivers for their memory anew where the last time is longer ago than `age`.
    pub async fn look_at_devices(&self, age: Duration) {
        self.engines.look(age).await;
    }

    pub(super) fn devices(&self) -> Vec<DeviceStatus> {
        let mut found: Vec<DeviceStatus> = Vec::new();
        for engine in self.engines.status() {
            for device in engine.devices.into_iter().flatten().filter(|device| device.chosen) {
                if found.iter().all(|known| known.id != device.id) {
                    let (bound_bytes, models_bytes) = self.context.admission.of_device(&device);
                    let EngineDevice { id, device, .. } = device;
                    found.push(DeviceStatus { id, engine: engine.name.clone(), device, bound_bytes, models_bytes });
                }
            }
        }
        found
    }
}

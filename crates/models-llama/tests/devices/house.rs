//! A runtime whose workers compute on devices, and what it says of them.

use std::path::Path;

use stoa_models::{DeviceChoice, LaneStatus, RuntimeOptions};

use crate::support::{House, options};

/// What SmolLM2 has: 30 layers, and one more behind them.
pub(crate) const LAYERS: u32 = 31;

/// On the first device and, where that does not hold all, on the second.
pub(crate) fn on_devices() -> RuntimeOptions {
    let names = ["Vulkan0", "Vulkan1"].map(str::to_owned);
    RuntimeOptions { own_devices: true, devices: DeviceChoice::Named(names.into()), slots: Some(4), ..options() }
}

pub(crate) fn on_processor() -> RuntimeOptions {
    RuntimeOptions { device_layers: Some(0), ..on_devices() }
}

pub(crate) fn lane(house: &House) -> LaneStatus {
    house.runtime.status().lanes.remove(0)
}

/// Layers on each device.
pub(crate) fn layers(lane: &LaneStatus) -> Vec<(&str, u32)> {
    lane.devices.iter().map(|share| (share.name.as_str(), share.layers)).collect()
}

pub(crate) fn bytes(lane: &LaneStatus) -> u64 {
    lane.devices.iter().map(|share| share.bytes).sum()
}

/// A model that differs from `model` in its name only.
pub(crate) fn renamed(model: &Path, folder: &Path) -> std::path::PathBuf {
    let (from, to) = (b"Smollm2 135M 8k", b"Another 135M 8k");
    let mut file = std::fs::read(model).unwrap();
    let place = file.windows(from.len()).position(|window| window == from).unwrap();
    file[place..place + to.len()].copy_from_slice(to);
    let path = folder.join("other.gguf");
    std::fs::write(&path, file).unwrap();
    path
}

//! Which engine a model is started from, and what it would take there.

use std::collections::HashMap;

use crate::protocol::{DeviceKind, DeviceLayers, DeviceUse};
use crate::runtime::engines::{DeviceId, Engine, EngineDevice};
use crate::runtime::estimate::Estimate;
use crate::runtime::lane::DeviceShare;
use crate::runtime::options::WorkerProgram;
use crate::runtime::placement::{DeviceRoom, Placement, Share, place};

/// A model that is to be loaded.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Wish<'lane> {
    pub(in crate::runtime) model: &'lane Estimate,
    /// Layers that may be on devices.
    pub(in crate::runtime) most_layers: u32,
}

/// Where it goes, and what is set aside for it.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime) struct Chosen {
    pub(in crate::runtime) host_bytes: u64,
    /// `None` for the processor alone.
    pub(in crate::runtime) on_devices: Option<OnDevices>,
}

#[derive(Clone, Debug)]
pub(in crate::runtime) struct OnDevices {
    pub(in crate::runtime) engine: String,
    pub(in crate::runtime) program: WorkerProgram,
    pub(in crate::runtime) slots: u32,
    pub(in crate::runtime) shares: Vec<(EngineDevice, Share)>,
}

impl OnDevices {
    pub(in crate::runtime) fn layers(&self) -> u32 {
        self.shares.iter().map(|(_, share)| share.layers).sum()
    }

    /// What a worker says of its devices, as far as it was given them.
    pub(in crate::runtime) fn shares_of(&self, devices: &[DeviceUse]) -> Vec<DeviceShare> {
        let share = |(device, _): &(EngineDevice, Share)| {
            let of_worker = devices.iter().find(|of_worker| of_worker.device == device.device.name)?;
            Some(DeviceShare {
                id: device.id.clone(),
                name: of_worker.device.clone(),
                layers: of_worker.layers,
                bytes: of_worker.bytes,
            })
        };
        self.shares.iter().filter_map(share).collect()
    }

    /// As a worker is told it.
    pub(in crate::runtime) fn arguments(&self) -> Vec<DeviceLayers> {
        let layers = |(device, share): &(EngineDevice, Share)| DeviceLayers {
            device: device.device.name.clone(),
            layers: share.layers,
        };
        self.shares.iter().map(layers).collect()
    }
}

impl Chosen {
    /// How well a model would run there: with how many layers on devices, and then with how many sequences.
    pub(super) fn fares(&self) -> (u32, u32) {
        self.on_devices.as_ref().map_or((0, 0), |on| (on.layers(), on.slots))
    }

    pub(super) fn device_bytes(&self) -> HashMap<DeviceId, u64> {
        let shares = self.on_devices.iter().flat_map(|on| &on.shares);
        shares.map(|(device, share)| (device.id.clone(), share.bytes)).collect()
    }
}

/// The engine that takes the most layers; of several, the one with room for more sequences, then on fewer devices, then the
/// first. `room` is what a device has for it, and `host_bytes` what the machine would have.
pub(super) fn choose(
    wish: Wish<'_>,
    engines: &[Engine],
    room: impl Fn(&EngineDevice) -> u64,
    host_bytes: u64,
) -> Chosen {
    let placed = engines.iter().filter_map(|engine| {
        let rooms: Vec<DeviceRoom> = engine
            .devices
            .iter()
            .map(|device| DeviceRoom { bytes: room(device), own_memory: device.device.kind == DeviceKind::Discrete })
            .collect();
        Some((engine, place(wish.model, &rooms, wish.most_layers)?))
    });
    let better =
        |placement: &Placement| (placement.layers(), placement.slots, std::cmp::Reverse(placement.shares.len()));
    let mut best: Option<(&Engine, Placement)> = None;
    for (engine, placement) in placed {
        if best.as_ref().is_none_or(|(_, best)| better(&placement) > better(best)) {
            best = Some((engine, placement));
        }
    }
    let Some((engine, placement)) = best else {
        return Chosen { host_bytes: wish.model.on_processor(host_bytes), on_devices: None };
    };
    let shares = placement.shares.into_iter();
    let shares = shares.filter_map(|share| Some((engine.devices.get(share.device)?.clone(), share))).collect();
    Chosen {
        host_bytes: placement.host_bytes,
        on_devices: Some(OnDevices {
            engine: engine.name.clone(),
            program: engine.program.clone(),
            slots: placement.slots,
            shares,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::engines::fixture::engine;

    const MIB: u64 = 1 << 20;

    fn chosen(engines: &[Engine], most_layers: u32) -> (Option<String>, u32) {
        // 11 layers in all: 10 of 100 MiB, and 100 MiB behind them.
        let model = Estimate::fixture(10, 100 * MIB, 100 * MIB, MIB, Some(4));
        let wish = Wish { model: &model, most_layers };
        let chosen = choose(wish, engines, |device| device.device.free_bytes, 1 << 40);
        let layers = chosen.on_devices.as_ref().map_or(0, OnDevices::layers);
        (chosen.on_devices.map(|on| on.engine), layers)
    }

    #[test]
    fn the_engine_whose_devices_hold_the_most_is_taken() {
        let driver = Estimate::DRIVER / MIB;
        let small = engine("a", &[("Vulkan0", driver + 500)]);
        let large = engine("b", &[("CUDA0", driver + 2_000)]);
        let two = engine("c", &[("X0", driver + 800), ("X1", driver + 800)]);
        let of = |name: &str, layers| (Some(name.to_owned()), layers);
        assert_eq!(chosen(&[small.clone(), large.clone()], 99), of("b", 11));
        assert_eq!(chosen(&[two.clone(), large], 99), of("b", 11), "on one device rather than on two");
        assert_eq!(chosen(&[small.clone(), two], 99), of("c", 11));
        assert_eq!(chosen(std::slice::from_ref(&small), 3), of("a", 3));
        assert_eq!(chosen(&[small], 0), (None, 0));
        assert_eq!(chosen(&[], 99), (None, 0));
    }
}

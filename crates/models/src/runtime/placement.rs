//! Which layers of a model go to which devices: numbers in, numbers out.

use super::estimate::Estimate;

/// For the sake of having all layers on devices, sequences become fewer, down to this.
const FEWEST_SLOTS: u32 = 2;

/// What an engine's devices have for a model, in the order in which they are preferred.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceRoom {
    pub(super) bytes: u64,
    /// What is on it is not in the memory of the machine as well.
    pub(super) own_memory: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// By its place in the list of rooms.
    pub(super) device: usize,
    pub(super) layers: u32,
    pub(super) bytes: u64,
}

/// The last layers of a model on devices, in the order in which they are computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) shares: Vec<Share>,
    pub(super) slots: u32,
    /// What it takes of the machine beside.
    pub(super) host_bytes: u64,
}

impl Placement {
    pub(super) fn layers(&self) -> u32 {
        self.shares.iter().map(|share| share.layers).sum()
    }
}

/// As many layers as there is room for, but at most `most`, on as few devices as hold them. `None` when there is room for
/// none.
///
/// All layers with fewer sequences are better than fewer layers: whatever is left to the processor holds up every token of
/// everybody. Where not even that fits, the sequences stay as many as they would be, and layers stay out.
pub(super) fn place(model: &Estimate, rooms: &[DeviceRoom], most: u32) -> Option<Placement> {
    let all = model.layers().min(most);
    let together = rooms.iter().fold(0, |sum: u64, room| sum.saturating_add(room.bytes));
    let (wanted, fixed) = model.slots(together);
    let mut slots = wanted;
    loop {
        if let Some(placement) = with_layers(model, rooms, all, slots) {
            return Some(placement);
        }
        if fixed || slots <= FEWEST_SLOTS {
            break;
        }
        slots = (slots / 2).max(FEWEST_SLOTS);
    }
    (1..all).rev().find_map(|layers| with_layers(model, rooms, layers, wanted))
}

/// The last `count` layers: all on the first device that holds them, or on as many as it takes, each filled before the next.
fn with_layers(model: &Estimate, rooms: &[DeviceRoom], count: u32, slots: u32) -> Option<Placement> {
    if count == 0 {
        return None;
    }
    let first = model.layers().saturating_sub(count);
    let alone = model.on_device(first, count, slots);
    let shares = match rooms.iter().position(|room| alone <= room.bytes) {
        Some(device) => vec![Share { device, layers: count, bytes: alone }],
        None => divided(model, rooms, first, slots)?,
    };
    let beside = model.beside_devices(count, slots);
    // What shares the memory of the machine counts there, too.
    let borrowed = shares.iter().filter(|share| rooms.get(share.device).is_none_or(|room| !room.own_memory));
    let host_bytes = borrowed.fold(beside, |sum, share| sum.saturating_add(share.bytes));
    Some(Placement { shares, slots, host_bytes })
}

fn divided(model: &Estimate, rooms: &[DeviceRoom], first: u32, slots: u32) -> Option<Vec<Share>> {
    let end = model.layers();
    let (mut next, mut shares) = (first, Vec::new());
    for (device, room) in rooms.iter().enumerate() {
        let holds = |layers: &u32| model.on_device(next, *layers, slots) <= room.bytes;
        let Some(layers) = most(end.saturating_sub(next), holds) else { continue };
        shares.push(Share { device, layers, bytes: model.on_device(next, layers, slots) });
        next += layers;
        if next == end {
            return Some(shares);
        }
    }
    None
}

/// The largest number up to `largest` that holds, where every smaller one holds, too.
fn most(largest: u32, holds: impl Fn(&u32) -> bool) -> Option<u32> {
    let (mut good, mut bad) = (0, largest.saturating_add(1));
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(&middle) { good = middle } else { bad = middle }
    }
    (good > 0).then_some(good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Rooms beside what a driver takes.
    fn rooms(mebibytes: &[u64]) -> Vec<DeviceRoom> {
        mebibytes.iter().map(|room| DeviceRoom { bytes: room * MIB + Estimate::DRIVER, own_memory: true }).collect()
    }

    /// 32 layers of 100 MiB and 300 MiB behind them, which is the 33rd.
    fn model(per_slot: u64, slots: Option<u32>) -> Estimate {
        Estimate::fixture(32, 100 * MIB, 300 * MIB, per_slot * MIB, slots)
    }

    fn placed(model: &Estimate, mebibytes: &[u64], most: u32) -> Option<(Vec<(usize, u32)>, u32)> {
        let placement = place(model, &rooms(mebibytes), most)?;
        Some((placement.shares.iter().map(|share| (share.device, share.layers)).collect(), placement.slots))
    }

    #[test]
    fn a_model_goes_to_the_first_device_that_holds_all_of_it() {
        let model = model(32, Some(4));
        // 3,500 MiB of weights and 128 of contexts.
        assert_eq!(placed(&model, &[4_000], u32::MAX), Some((vec![(0, 33)], 4)));
        assert_eq!(placed(&model, &[3_000, 4_000, 5_000], u32::MAX), Some((vec![(1, 33)], 4)));
    }

    #[test]
    fn several_devices_hold_what_one_does_not() {
        let model = model(32, Some(4));
        let (shares, _) = placed(&model, &[2_000, 1_000, 3_000], u32::MAX).unwrap();
        assert_eq!(shares.iter().map(|(_, layers)| layers).sum::<u32>(), 33);
        assert_eq!(shares, [(0, 19), (1, 9), (2, 5)], "each layer takes 104 MiB");
    }

    #[test]
    fn what_no_device_holds_stays_with_the_processor() {
        let model = model(32, Some(4));
        // The last of them is 300 MiB, and 104 for every other.
        assert_eq!(placed(&model, &[720], u32::MAX), Some((vec![(0, 5)], 4)));
        assert_eq!(placed(&model, &[299], u32::MAX), None, "not even what is behind the layers");
        assert_eq!(placed(&model, &[], u32::MAX), None);
        let half = place(&model, &rooms(&[720]), u32::MAX).unwrap();
        assert!(half.host_bytes > 28 * 100 * MIB, "{half:?}");
    }

    #[test]
    fn an_operators_bound_holds() {
        let model = model(32, Some(4));
        assert_eq!(placed(&model, &[9_000], 10), Some((vec![(0, 10)], 4)));
        assert_eq!(placed(&model, &[9_000], 0), None);
    }

    #[test]
    fn sequences_become_fewer_before_layers_stay_out() {
        // As many as 1 GiB holds: 8 of 128 MiB.
        let model = model(128, None);
        assert_eq!(placed(&model, &[9_000], u32::MAX), Some((vec![(0, 33)], 8)));
        assert_eq!(placed(&model, &[4_100], u32::MAX), Some((vec![(0, 33)], 4)));
        assert_eq!(placed(&model, &[3_800], u32::MAX), Some((vec![(0, 33)], 2)));
        let (shares, slots) = placed(&model, &[3_600], u32::MAX).unwrap();
        assert!(shares[0].1 < 33 && slots == 8, "{shares:?} {slots}");
        assert_eq!(placed(&self::model(128, Some(8)), &[4_100], u32::MAX).unwrap().1, 8, "unless their number is set");
    }

    #[test]
    fn a_device_without_memory_of_its_own_takes_the_machines() {
        let mut rooms = rooms(&[9_000]);
        let own = place(&model(32, Some(4)), &rooms, u32::MAX).unwrap();
        rooms[0].own_memory = false;
        let shared = place(&model(32, Some(4)), &rooms, u32::MAX).unwrap();
        assert_eq!(shared.host_bytes, own.host_bytes + own.shares[0].bytes);
    }

    proptest! {
        #[test]
        fn no_device_gets_more_than_it_has_and_no_layer_is_there_twice(
            layers in 0_usize..40,
            layer in 0_u64..200,
            output in 0_u64..400,
            per_slot in 0_u64..200,
            slots in prop::option::of(1_u32..64),
            mebibytes in prop::collection::vec(0_u64..3_000, 0..4),
            most in 0_u32..50,
        ) {
            let model = Estimate::fixture(layers, layer * MIB, output * MIB, per_slot * MIB, slots);
            let rooms = rooms(&mebibytes);
            if let Some(placement) = place(&model, &rooms, most) {
                prop_assert!(placement.layers() >= 1 && placement.layers() <= most.min(model.layers()));
                prop_assert!(placement.slots >= 1 && slots.is_none_or(|slots| slots == placement.slots));
                let mut first = model.layers() - placement.layers();
                for (index, share) in placement.shares.iter().enumerate() {
                    prop_assert!(share.bytes <= rooms[share.device].bytes);
                    prop_assert_eq!(share.bytes, model.on_device(first, share.layers, placement.slots));
                    prop_assert!(index == 0 || placement.shares[index - 1].device < share.device);
                    first += share.layers;
                }
            }
        }
    }
}

//! Whether a model is loaded now, and who leaves for it: numbers in, a decision out.

use tokio::time::Instant;

/// Some memory that models share: the machine's, or that of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    /// What they may take of it together.
    pub(super) bound_bytes: u64,
    /// What is free of it besides all that those in the ledger take or will take.
    pub(super) free_bytes: u64,
}

/// What there is for models.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// The machine's memory first. All amounts below are in this order, and what is not there of one is zero.
    pub(super) pools: Vec<Pool>,
    /// How many may be loaded at once.
    pub(super) places: usize,
}

/// A model that has room.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Of each pool.
    pub(super) bytes: Vec<u64>,
    /// `None` while somebody uses it, or it is being loaded.
    pub(super) idle_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Load,
    /// Once those that were named have left.
    Unload,
    /// Those that could leave are not enough.
    Wait,
    /// Not even if all others left.
    Never {
        needed_bytes: u64,
        room_bytes: u64,
    },
}

/// What a model would find, as those leave that do.
struct Sketch<'room> {
    needed: &'room [u64],
    room: &'room Room,
    taken: Vec<u64>,
    free: Vec<u64>,
    places: usize,
}

impl Sketch<'_> {
    fn lacks(&self, pool: usize) -> bool {
        let needed = amount(self.needed, pool);
        let taken = amount(&self.taken, pool);
        let bound = self.room.pools.get(pool).map_or(0, |pool| pool.bound_bytes);
        // A device that is not used may be as full as it likes.
        (needed > 0 || pool == 0) && (needed > amount(&self.free, pool) || taken.saturating_add(needed) > bound)
    }

    fn lacks_places(&self) -> bool {
        self.places >= self.room.places
    }

    fn fits(&self) -> bool {
        !self.lacks_places() && (0..self.room.pools.len()).all(|pool| !self.lacks(pool))
    }

    /// Whether the new model gains from it.
    fn is_in_the_way(&self, held: &Held) -> bool {
        self.lacks_places() || (0..self.room.pools.len()).any(|pool| self.lacks(pool) && amount(&held.bytes, pool) > 0)
    }

    fn leave(&mut self, held: &Held) {
        self.places = self.places.saturating_sub(1);
        for (pool, (taken, free)) in self.taken.iter_mut().zip(&mut self.free).enumerate() {
            let bytes = amount(&held.bytes, pool);
            (*taken, *free) = (taken.saturating_sub(bytes), free.saturating_add(bytes));
        }
    }
}

/// Also answers which of `held` shall leave: those that have been idle for longest, as many as it takes, and never one
/// that somebody uses. Nobody leaves in vain: whoever holds nothing of what is short stays.
pub(super) fn decide(needed: &[u64], room: &Room, held: &[Held]) -> (Verdict, Vec<usize>) {
    let taken: Vec<u64> =
        (0..room.pools.len()).map(|pool| total(held.iter().map(|held| amount(&held.bytes, pool)))).collect();
    for (index, pool) in room.pools.iter().enumerate() {
        let room_bytes = pool.bound_bytes.min(pool.free_bytes.saturating_add(amount(&taken, index)));
        let needed_bytes = amount(needed, index);
        if needed_bytes > room_bytes {
            return (Verdict::Never { needed_bytes, room_bytes }, Vec::new());
        }
    }
    let free = room.pools.iter().map(|pool| pool.free_bytes).collect();
    let mut sketch = Sketch { needed, room, taken, free, places: held.len() };
    if sketch.fits() {
        return (Verdict::Load, Vec::new());
    }
    let mut idle: Vec<(Instant, usize)> =
        held.iter().enumerate().filter_map(|(index, held)| Some((held.idle_since?, index))).collect();
    idle.sort_unstable();
    let mut leaving = Vec::new();
    for (_, index) in idle {
        let Some(held) = held.get(index).filter(|held| sketch.is_in_the_way(held)) else { continue };
        leaving.push(index);
        sketch.leave(held);
        if sketch.fits() {
            return (Verdict::Unload, leaving);
        }
    }
    (Verdict::Wait, Vec::new())
}

fn amount(bytes: &[u64], pool: usize) -> u64 {
    bytes.get(pool).copied().unwrap_or(0)
}

fn total(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Idle for so many seconds, or busy.
    fn held(began: Instant, models: &[(u64, Option<u64>)]) -> Vec<Held> {
        models
            .iter()
            .map(|(bytes, idle)| Held {
                bytes: vec![*bytes],
                idle_since: idle.map(|seconds| began + Duration::from_secs(1_000 - seconds)),
            })
            .collect()
    }

    fn decided(needed: u64, bound: u64, free: u64, models: &[(u64, Option<u64>)]) -> (Verdict, Vec<usize>) {
        let pools = vec![Pool { bound_bytes: bound, free_bytes: free }];
        decide(&[needed], &Room { pools, places: 3 }, &held(Instant::now(), models))
    }

    #[test]
    fn what_fits_is_loaded_beside_the_others() {
        assert_eq!(decided(40, 100, 90, &[]), (Verdict::Load, vec![]));
        assert_eq!(decided(40, 100, 40, &[(60, None)]), (Verdict::Load, vec![]));
    }

    #[test]
    fn the_longest_idle_leave_first_and_no_more_than_it_takes() {
        let models = [(30, Some(5)), (30, Some(50)), (30, Some(20))];
        assert_eq!(decided(10, 100, 90, &models[..2]), (Verdict::Load, vec![]));
        assert_eq!(decided(30, 100, 90, &models), (Verdict::Unload, vec![1]));
        assert_eq!(decided(60, 100, 90, &models), (Verdict::Unload, vec![1, 2]));
        assert_eq!(decided(100, 100, 90, &models), (Verdict::Unload, vec![1, 2, 0]));
    }

    #[test]
    fn whoever_is_busy_stays_and_nobody_leaves_in_vain() {
        assert_eq!(decided(50, 100, 90, &[(60, None), (20, Some(9))]), (Verdict::Wait, vec![]));
        assert_eq!(decided(50, 100, 90, &[(30, None), (40, Some(9))]), (Verdict::Unload, vec![1]));
    }

    #[test]
    fn other_programs_count_too() {
        // The bound would hold it, the machine does not.
        assert_eq!(decided(50, 100, 30, &[(30, Some(1))]), (Verdict::Unload, vec![0]));
        assert_eq!(
            decided(50, 100, 30, &[(10, Some(1))]),
            (Verdict::Never { needed_bytes: 50, room_bytes: 40 }, vec![])
        );
    }

    #[test]
    fn what_never_fits_is_told_at_once_with_what_there_is() {
        assert_eq!(
            decided(101, 100, 500, &[(60, None)]),
            (Verdict::Never { needed_bytes: 101, room_bytes: 100 }, vec![])
        );
    }

    #[test]
    fn there_are_only_so_many_places() {
        let models = [(1, None), (1, Some(3)), (1, Some(7))];
        assert_eq!(decided(1, 100, 90, &models), (Verdict::Unload, vec![2]));
        assert_eq!(decided(1, 100, 90, &[(1, None), (1, None), (1, None)]), (Verdict::Wait, vec![]));
    }

    /// On the machine and two devices, each with so many seconds of being idle.
    fn on_devices(needed: [u64; 3], models: &[([u64; 3], Option<u64>)]) -> (Verdict, Vec<usize>) {
        let began = Instant::now();
        let held: Vec<Held> = models
            .iter()
            .map(|(bytes, idle)| Held {
                bytes: bytes.to_vec(),
                idle_since: idle.map(|seconds| began + Duration::from_secs(1_000 - seconds)),
            })
            .collect();
        let pool = |bound_bytes: u64, index: usize| {
            let taken = total(models.iter().map(|(bytes, _)| bytes[index]));
            Pool { bound_bytes, free_bytes: bound_bytes.saturating_sub(taken) }
        };
        decide(&needed, &Room { pools: vec![pool(1_000, 0), pool(100, 1), pool(50, 2)], places: 9 }, &held)
    }

    #[test]
    fn each_device_is_counted_by_itself_and_only_those_leave_who_are_on_it() {
        let models =
            [([10, 0, 40], Some(90)), ([10, 60, 0], Some(50)), ([10, 30, 0], Some(20)), ([500, 0, 0], Some(99))];
        assert_eq!(on_devices([10, 10, 10], &models), (Verdict::Load, vec![]));
        assert_eq!(on_devices([10, 20, 0], &models), (Verdict::Unload, vec![1]), "the first is not on that device");
        assert_eq!(on_devices([10, 90, 20], &models), (Verdict::Unload, vec![0, 1, 2]));
        assert_eq!(on_devices([600, 0, 0], &models), (Verdict::Unload, vec![3]), "the longest idle has the most");
        let never = Verdict::Never { needed_bytes: 51, room_bytes: 50 };
        assert_eq!(on_devices([10, 0, 51], &models), (never, vec![]));
        assert_eq!(on_devices([10, 20, 0], &[([0, 90, 0], None)]), (Verdict::Wait, vec![]));
    }

    proptest! {
        #[test]
        fn the_bound_and_the_machine_hold_whatever_comes(
            needed in 0_u64..120,
            bound in 0_u64..120,
            free in 0_u64..120,
            models in prop::collection::vec((0_u64..60, prop::option::of(0_u64..900)), 0..5),
        ) {
            let all = held(Instant::now(), &models);
            let (verdict, leaving) = decided(needed, bound, free, &models);
            prop_assert!(leaving.iter().all(|index| all[*index].idle_since.is_some()));
            let left = total(leaving.iter().map(|index| all[*index].bytes[0]));
            let stay = total(all.iter().map(|held| held.bytes[0])) - left;
            if matches!(verdict, Verdict::Load | Verdict::Unload) {
                prop_assert!(stay + needed <= bound && needed <= free + left);
                prop_assert!(all.len() - leaving.len() < 3);
            } else {
                prop_assert!(leaving.is_empty());
            }
            prop_assert_eq!(matches!(verdict, Verdict::Never { .. }), needed > bound.min(free + stay + left));
        }
    }
}

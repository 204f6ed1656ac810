//! Whether a model is loaded now, and who leaves for it: numbers in, a decision out.

use tokio::time::Instant;

/// What there is for models.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// What they may take together.
    pub(super) bound_bytes: u64,
    /// What is free on the machine besides all that those in the ledger take or will take.
    pub(super) free_bytes: u64,
    /// How many may be loaded at once.
    pub(super) places: usize,
}

/// A model that has room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) bytes: u64,
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
        room_bytes: u64,
    },
}

/// Also answers which of `held` shall leave: those that have been idle for longest, as many as it takes, and never one
/// that somebody uses. Nobody leaves in vain.
pub(super) fn decide(needed_bytes: u64, room: Room, held: &[Held]) -> (Verdict, Vec<usize>) {
    let mut taken = total(held.iter().map(|held| held.bytes));
    let room_bytes = room.bound_bytes.min(room.free_bytes.saturating_add(taken));
    if needed_bytes > room_bytes {
        return (Verdict::Never { room_bytes }, Vec::new());
    }
    let mut free = room.free_bytes;
    let fits = |taken: u64, free: u64, leaving: usize| {
        held.len() - leaving < room.places
            && needed_bytes <= free
            && taken.saturating_add(needed_bytes) <= room.bound_bytes
    };
    if fits(taken, free, 0) {
        return (Verdict::Load, Vec::new());
    }
    let mut idle: Vec<(Instant, usize)> =
        held.iter().enumerate().filter_map(|(index, held)| Some((held.idle_since?, index))).collect();
    idle.sort_unstable();
    let mut leaving = Vec::new();
    for (_, index) in idle {
        let bytes = held.get(index).map_or(0, |held| held.bytes);
        leaving.push(index);
        (taken, free) = (taken.saturating_sub(bytes), free.saturating_add(bytes));
        if fits(taken, free, leaving.len()) {
            return (Verdict::Unload, leaving);
        }
    }
    (Verdict::Wait, Vec::new())
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
                bytes: *bytes,
                idle_since: idle.map(|seconds| began + Duration::from_secs(1_000 - seconds)),
            })
            .collect()
    }

    fn decided(needed: u64, bound: u64, free: u64, models: &[(u64, Option<u64>)]) -> (Verdict, Vec<usize>) {
        decide(needed, Room { bound_bytes: bound, free_bytes: free, places: 3 }, &held(Instant::now(), models))
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
        assert_eq!(decided(50, 100, 30, &[(10, Some(1))]), (Verdict::Never { room_bytes: 40 }, vec![]));
    }

    #[test]
    fn what_never_fits_is_told_at_once_with_what_there_is() {
        assert_eq!(decided(101, 100, 500, &[(60, None)]), (Verdict::Never { room_bytes: 100 }, vec![]));
    }

    #[test]
    fn there_are_only_so_many_places() {
        let models = [(1, None), (1, Some(3)), (1, Some(7))];
        assert_eq!(decided(1, 100, 90, &models), (Verdict::Unload, vec![2]));
        assert_eq!(decided(1, 100, 90, &[(1, None), (1, None), (1, None)]), (Verdict::Wait, vec![]));
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
            let left = total(leaving.iter().map(|index| all[*index].bytes));
            let stay = total(all.iter().map(|held| held.bytes)) - left;
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

//! How many instances there should be, as arithmetic over what came before: the autoscaler of Knative (`pkg/autoscaler/scaling`),
//! without its switching of routes, and with what others learnt the hard way.
//!
//! A load of nothing is never multiplied. Whether the last instance goes is no matter of averages, but of how long it was
//! idle, and a start is never idle, so that one slower than any timer still comes to its end.

mod window;

use std::time::Duration;

use tokio::time::Instant;

pub use window::Window;

/// Averages are taken over so long.
pub const STABLE: Duration = Duration::from_mins(1);
/// And over so long, to see a rush.
pub const PANIC: Duration = Duration::from_secs(6);

/// A rush is when so many times the instances that there are would be needed.
const PANIC_AT: f64 = 2.0;
/// Of what an instance takes, what it should have.
const UTILISATION: f64 = 0.7;
/// At most so many times more in one step.
const MAX_UP: f64 = 1_000.0;
/// At most so many times fewer in one step.
const MAX_DOWN: f64 = 2.0;
/// Requests that waited so long would not have been served sooner without another instance.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests that an instance takes at once.
    pub concurrency: u32,
    pub minimum: u32,
    pub maximum: u32,
}

/// What is seen at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Requests served and waiting, on average over [`STABLE`] and over [`PANIC`].
    pub stable: f64,
    pub panic: f64,
    /// Right now.
    pub demand: u32,
    /// How long the oldest of those that wait has done so; none when nobody does.
    pub waited: Option<Duration>,
    /// Instances that serve or are about to; not those that are frozen.
    pub active: u32,
}

#[derive(Clone, Debug)]
pub struct Autoscaler {
    bounds: Bounds,
    rush: Option<Rush>,
}

#[derive(Clone, Copy, Debug)]
struct Rush {
    seen_at: Instant,
    most: u32,
}

impl Autoscaler {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, rush: None }
    }

    /// Whether there is a rush, in which no instance goes.
    pub fn is_panicking(&self) -> bool {
        self.rush.is_some()
    }

    /// How many instances should be active.
    pub fn decide(&mut self, now: Instant, seen: Observation) -> u32 {
        let wanted = self.by_averages(now, seen).max(self.at_once(seen));
        // As long as there is anything to serve, somebody must.
        let least = u32::from(seen.demand > 0).max(self.bounds.minimum);
        wanted.clamp(least.min(self.bounds.maximum), self.bounds.maximum)
    }

    fn by_averages(&mut self, now: Instant, seen: Observation) -> u32 {
        // One request at least: a part of one is no load that another instance could take over.
        let target = (f64::from(self.bounds.concurrency) * UTILISATION).max(1.0);
        let there = f64::from(seen.active.max(1));
        let (fewest, most) = ((f64::from(seen.active) / MAX_DOWN).floor(), (there * MAX_UP).ceil());
        let bounded = |load: f64| (load / target).ceil().clamp(fewest, most);
        let (stable, panic) = (bounded(seen.stable), bounded(seen.panic));
        // The first instance is no rush: there is nothing that it would be twice of.
        if seen.active > 0 && panic / there >= PANIC_AT {
            let most = self.rush.map_or(0, |rush| rush.most).max(seen.active).max(count(panic));
            self.rush = Some(Rush { seen_at: now, most });
        } else if self.rush.is_some_and(|rush| now.duration_since(rush.seen_at) >= STABLE) {
            self.rush = None;
        }
        match &mut self.rush {
            Some(rush) => {
                rush.most = rush.most.max(count(panic));
                rush.most
            }
            None => count(stable),
        }
    }

    /// For those who have waited long enough, or for whom there is nobody at all.
    fn at_once(&self, seen: Observation) -> u32 {
        let urgent = seen.waited.is_some_and(|waited| seen.active == 0 || waited >= PATIENCE);
        if urgent { seen.demand.div_ceil(self.bounds.concurrency.max(1)) } else { 0 }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
fn count(instances: f64) -> u32 {
    instances as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { concurrency: 10, minimum: 0, maximum: 100 };

    fn steady(load: f64, active: u32) -> Observation {
        let demand = count(load.ceil());
        Observation { stable: load, panic: load, demand, waited: None, active }
    }

    #[test]
    fn a_steady_load_has_as_many_as_it_needs_at_seventy_percent() {
        let mut autoscaler = Autoscaler::new(BOUNDS);
        assert_eq!(autoscaler.decide(Instant::now(), steady(35.0, 5)), 5);
        assert_eq!(autoscaler.decide(Instant::now(), steady(36.0, 5)), 6);
        assert!(!autoscaler.is_panicking());
    }

    #[test]
    fn nothing_stays_nothing() {
        let mut autoscaler = Autoscaler::new(BOUNDS);
        for _ in 0..100 {
            assert_eq!(autoscaler.decide(Instant::now(), steady(0.0, 0)), 0);
        }
    }

    #[test]
    fn the_first_request_starts_one_and_is_no_rush() {
        let mut autoscaler = Autoscaler::new(BOUNDS);
        let seen = Observation { stable: 0.0, panic: 0.0, demand: 1, waited: Some(Duration::ZERO), active: 0 };
        assert_eq!(autoscaler.decide(Instant::now(), seen), 1);
        assert!(!autoscaler.is_panicking());
        let many = Observation { demand: 25, ..seen };
        assert_eq!(autoscaler.decide(Instant::now(), many), 3, "and many start what they fill");
    }

    #[test]
    fn those_who_wait_long_get_more_and_those_who_wait_briefly_do_not() {
        let mut autoscaler = Autoscaler::new(Bounds { concurrency: 1, ..BOUNDS });
        let seen =
            Observation { stable: 0.5, panic: 0.5, demand: 20, waited: Some(Duration::from_millis(5)), active: 1 };
        assert_eq!(autoscaler.decide(Instant::now(), seen), 1);
        assert_eq!(autoscaler.decide(Instant::now(), Observation { waited: Some(PATIENCE), ..seen }), 20);
    }

    #[test]
    fn in_a_rush_none_goes_until_it_is_over_for_a_while() {
        let mut autoscaler = Autoscaler::new(BOUNDS);
        let now = Instant::now();
        let rush = Observation { stable: 10.0, panic: 140.0, demand: 140, waited: None, active: 2 };
        assert_eq!(autoscaler.decide(now, rush), 20);
        assert_eq!(autoscaler.decide(now + PANIC, steady(1.0, 20)), 20);
        assert_eq!(autoscaler.decide(now + STABLE - Duration::from_millis(1), steady(1.0, 20)), 20);
        assert_eq!(autoscaler.decide(now + STABLE, steady(1.0, 20)), 10, "half at most in one step");
        assert!(!autoscaler.is_panicking());
    }

    #[test]
    fn the_fewest_are_kept_and_the_most_never_passed() {
        let bounds = Bounds { minimum: 2, maximum: 5, ..BOUNDS };
        assert_eq!(Autoscaler::new(bounds).decide(Instant::now(), steady(0.0, 2)), 2);
        assert_eq!(Autoscaler::new(bounds).decide(Instant::now(), steady(1e9, 5)), 5);
    }

    proptest! {
        #[test]
        fn it_is_within_bounds_whatever_is_seen(
            seen in prop::collection::vec((0.0..1e12_f64, 0.0..1e12_f64, any::<u32>(), any::<u32>(), any::<bool>()), 1..20),
            concurrency in 1..1_000_u32, minimum in 0..10_u32, more in 0..1_000_u32,
        ) {
            let bounds = Bounds { concurrency, minimum, maximum: (minimum + more).max(1) };
            let mut autoscaler = Autoscaler::new(bounds);
            let mut now = Instant::now();
            for (stable, panic, demand, active, waits) in seen {
                now += Duration::from_secs(1);
                let waited = waits.then_some(PATIENCE);
                let wanted = autoscaler.decide(now, Observation { stable, panic, demand, waited, active });
                prop_assert!(wanted >= minimum && wanted <= bounds.maximum);
                prop_assert!(demand == 0 || wanted >= 1);
            }
        }

        #[test]
        fn without_load_it_comes_to_nothing_and_never_grows(active in 0..1_000_u32) {
            let mut autoscaler = Autoscaler::new(Bounds { maximum: 1_000, ..BOUNDS });
            let (mut now, mut there) = (Instant::now(), active);
            for _ in 0..12 {
                now += STABLE;
                let wanted = autoscaler.decide(now, steady(0.0, there));
                prop_assert!(wanted <= there);
                there = wanted;
            }
            prop_assert_eq!(there, 0);
        }

        #[test]
        fn more_load_never_wants_fewer(load in 0.0..1e4_f64, more in 0.0..1e4_f64, active in 0..100_u32) {
            let wanted = |load: f64| Autoscaler::new(BOUNDS).decide(Instant::now(), steady(load, active));
            prop_assert!(wanted(load + more) >= wanted(load));
        }
    }
}

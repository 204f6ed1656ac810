//! The load over the last minute, in slices of a second.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::STABLE;

const SLICE: Duration = Duration::from_secs(1);

/// What was going on, integrated over time. What came before it was made counts as nothing that was seen, so that a burst
/// at the beginning is not taken for a little over a long time.
#[derive(Clone, Debug)]
pub struct Window {
    slices: VecDeque<Slice>,
    load: u32,
    at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    began: Instant,
    seconds: f64,
    load_seconds: f64,
}

impl Window {
    pub fn new(now: Instant) -> Self {
        Self { slices: VecDeque::new(), load: 0, at: now }
    }

    /// From `now` on, the load is this.
    pub fn record(&mut self, now: Instant, load: u32) {
        self.advance(now);
        self.load = load;
    }

    /// On average over the last `span`, at most [`STABLE`].
    pub fn average(&mut self, now: Instant, span: Duration) -> f64 {
        self.advance(now);
        let recent = self.slices.iter().rev().take_while(|slice| now.duration_since(slice.began) <= span);
        let (seconds, load) =
            recent.fold((0.0, 0.0), |(seconds, load), slice| (seconds + slice.seconds, load + slice.load_seconds));
        if seconds > 0.0 { load / seconds } else { f64::from(self.load) }
    }

    fn advance(&mut self, now: Instant) {
        // Older than any average asks for.
        if now.duration_since(self.at) > STABLE {
            self.slices.clear();
            self.at = now.checked_sub(STABLE).unwrap_or(now);
        }
        while self.at < now {
            let current = self.slices.back_mut().filter(|slice| self.at.duration_since(slice.began) < SLICE);
            let Some(slice) = current else {
                self.slices.push_back(Slice { began: self.at, seconds: 0.0, load_seconds: 0.0 });
                continue;
            };
            let until = (slice.began + SLICE).min(now);
            let seconds = until.duration_since(self.at).as_secs_f64();
            slice.seconds += seconds;
            slice.load_seconds += seconds * f64::from(self.load);
            self.at = until;
        }
        while self.slices.front().is_some_and(|slice| now.duration_since(slice.began) > STABLE) {
            self.slices.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::autoscaler::PANIC;

    #[test]
    fn a_rush_is_seen_in_the_short_window_first() {
        let start = Instant::now();
        let mut window = Window::new(start);
        window.record(start, 1);
        window.record(start + Duration::from_mins(1), 11);
        let now = start + Duration::from_secs(63);
        assert!((window.average(now, PANIC) - 6.0).abs() < 0.01, "{}", window.average(now, PANIC));
        assert!((window.average(now, STABLE) - 1.5).abs() < 0.05, "{}", window.average(now, STABLE));
    }

    #[test]
    fn what_was_before_the_window_is_forgotten() {
        let start = Instant::now();
        let mut window = Window::new(start);
        window.record(start, 100);
        window.record(start + Duration::from_secs(1), 0);
        assert!(window.average(start + Duration::from_secs(30), STABLE) > 3.0);
        assert!(window.average(start + Duration::from_secs(62), STABLE).abs() < f64::EPSILON);
        assert!(window.average(start + Duration::from_hours(24), STABLE).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn an_average_is_between_the_least_and_the_most(
            steps in prop::collection::vec((0..20_000_u64, 0..1_000_u32), 1..50),
        ) {
            let mut now = Instant::now();
            let mut window = Window::new(now);
            let most = steps.iter().map(|(_, load)| *load).max().unwrap_or(0);
            for (pause, load) in steps {
                window.record(now, load);
                now += Duration::from_millis(pause);
                for span in [PANIC, STABLE] {
                    let average = window.average(now, span);
                    prop_assert!((0.0..=f64::from(most) + 1e-6).contains(&average), "{average} of {most}");
                }
                prop_assert!(window.slices.len() <= 62);
            }
        }
    }
}

//! The task of a lane: sees what became of instances, and has them started, frozen, thawed and stopped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::lane::{Failure, Lane};
use super::seats::SeatState;
use crate::autoscaler::{Observation, PANIC, STABLE};
use crate::{Instance, InstanceId, Scale, State, StopReason};

/// Lines of the log that a failed start is told with.
const TAIL_LINES: usize = 20;

/// While nothing happens, instances are looked at so often.
const IDLE_TICK: Duration = Duration::from_secs(10);

pub(super) async fn keep(lane: Arc<Lane>, mut seen: watch::Receiver<Arc<[Instance]>>) {
    let mut keeper = Keeper { lane, ended: HashSet::new() };
    loop {
        let instances = seen.borrow_and_update().clone();
        let next = keeper.look(&instances).await;
        tokio::select! {
            // The engine has forgotten the version.
            changed = seen.changed() => if changed.is_err() { return },
            () = keeper.lane.over.cancelled() => return,
            () = keeper.lane.news.notified() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

struct Keeper {
    lane: Arc<Lane>,
    /// Instances whose end has been seen.
    ended: HashSet<InstanceId>,
}

impl Keeper {
    /// Does what there is to do, and says when to look again.
    async fn look(&mut self, instances: &Arc<[Instance]>) -> Duration {
        self.lane.state().seats.update(instances, Instant::now(), &self.lane.tracker);
        self.see_ends(instances).await;
        self.lane.dispatch();
        let wanted = self.wanted();
        self.thaw(wanted).await;
        self.lane.dispatch();
        self.start(wanted).await;
        self.rest(wanted).await;
        let state = self.lane.state();
        let oldest = state.queue.iter().map(|waiter| waiter.since).min();
        match oldest {
            // Whether others are to be started for those who wait.
            Some(_) => self.lane.options.tick.min(Duration::from_millis(100)),
            None if state.demand() > 0 || state.autoscaler.is_panicking() => self.lane.options.tick,
            None => IDLE_TICK.min(self.next_rest(&state)),
        }
    }

    /// When the next idle instance is due.
    fn next_rest(&self, state: &super::lane::LaneState) -> Duration {
        let idle = self.lane.version.spec.idle;
        let (now, any) = (Instant::now(), Duration::ZERO);
        let due = |ids: Vec<InstanceId>, after: Duration| if ids.is_empty() { IDLE_TICK } else { after };
        let freeze = due(state.seats.idle(now, any, SeatState::Ready), idle.freeze());
        let stop = due(state.seats.idle(now, any, SeatState::Frozen), idle.stop());
        freeze.min(stop).max(Duration::from_millis(10))
    }

    /// A start that failed is told to those who wait, if none is left to hope for.
    async fn see_ends(&mut self, instances: &[Instance]) {
        self.ended.retain(|id| instances.iter().any(|instance| instance.id == *id));
        for instance in instances {
            let State::Stopped { reason } = &instance.state else {
                if instance.state == State::Ready {
                    self.lane.state().failure = None;
                }
                continue;
            };
            if !self.ended.insert(instance.id.clone()) {
                continue;
            }
            let never_ready = instance.ready_at.is_none() && *reason != StopReason::Asked;
            if !reason.is_failed_start() && !never_ready {
                continue;
            }
            let page = self.lane.engine.logs(&instance.id, 0).await.unwrap_or_default();
            let log = page.tail(TAIL_LINES);
            let failure = {
                let mut state = self.lane.state();
                let in_a_row = state.failure.as_ref().map_or(1, |failure| failure.in_a_row.saturating_add(1));
                let options = self.lane.options;
                let doubled = if reason.is_of_a_volume() { 0 } else { (in_a_row - 1).min(16) };
                let pause = options.pause.saturating_mul(1 << doubled).min(options.longest_pause);
                let failure = Failure { reason: reason.clone(), log, in_a_row, until: Instant::now() + pause };
                state.failure = Some(failure.clone());
                (state.seats.staying() == 0).then_some(failure)
            };
            if let Some(failure) = failure {
                self.lane.refuse_all(&failure);
            }
        }
    }

    /// How many should be active.
    fn wanted(&self) -> u32 {
        let mut state = self.lane.state();
        let now = Instant::now();
        state.record(now);
        let (stable, panic) = (state.window.average(now, STABLE), state.window.average(now, PANIC));
        let oldest = state.queue.iter().map(|waiter| waiter.since).min();
        let seen = Observation {
            stable,
            panic,
            demand: state.demand(),
            waited: oldest.map(|since| now.saturating_duration_since(since)),
            active: state.seats.active(),
        };
        let wanted = state.autoscaler.decide(now, seen);
        if state.retired { wanted.min(seen.demand) } else { wanted }
    }

    /// What is frozen comes back sooner than anything starts.
    async fn thaw(&self, wanted: u32) {
        let frozen = {
            let state = self.lane.state();
            let missing = wanted.saturating_sub(state.seats.active());
            // The fewest that there shall be may be frozen as well as not.
            let missing = if state.demand() == 0 { 0 } else { missing };
            let mut frozen = state.seats.frozen();
            frozen.truncate(usize::try_from(missing).unwrap_or(usize::MAX));
            frozen
        };
        for instance in frozen {
            match self.lane.engine.thaw(&instance).await {
                Ok(()) => {
                    let mut state = self.lane.state();
                    if let Some(seat) = state.seats.get_mut(&instance).filter(|seat| seat.state == SeatState::Frozen) {
                        seat.state = SeatState::Ready;
                        seat.idle_since = Instant::now();
                    }
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, instance = instance.as_str(), "an instance was not thawed");
                }
            }
        }
    }

    async fn start(&self, wanted: u32) {
        let total = {
            let state = self.lane.state();
            let pauses = state.failure.as_ref().is_some_and(|failure| Instant::now() < failure.until);
            let staying = state.seats.staying();
            let spec = &self.lane.version.spec;
            let minimum = if state.retired { 0 } else { spec.instances.minimum };
            let total = wanted.max(minimum).max(staying).min(spec.instances.maximum.max(staying));
            if total <= staying || pauses {
                return;
            }
            total
        };
        self.scale(total, Vec::new()).await;
    }

    async fn scale(&self, instances: u32, leaving: Vec<InstanceId>) {
        let scaled = self.lane.engine.scale(&self.lane.version.id, Scale { instances, leaving }).await;
        if let Err(error) = scaled {
            let version = self.lane.version.id.as_str();
            tracing::warn!(error = &error as &dyn std::error::Error, version, "instances could not be scaled");
        }
    }

    /// Freezes what is idle, and stops what is so for long.
    async fn rest(&self, wanted: u32) {
        let idle = self.lane.version.spec.idle;
        let (to_freeze, to_stop) = {
            let mut state = self.lane.state();
            let now = Instant::now();
            let minimum = if state.retired { 0 } else { self.lane.version.spec.instances.minimum };
            // Whoever waits gets what is there first.
            let spare =
                if state.queue.is_empty() { state.seats.staying().saturating_sub(wanted.max(minimum)) } else { 0 };
            let stop_after = if state.retired { Duration::ZERO } else { idle.stop() };
            let mut to_stop = state.seats.idle(now, stop_after, SeatState::Frozen);
            to_stop.extend(state.seats.idle(now, stop_after, SeatState::Ready));
            to_stop.truncate(usize::try_from(spare).unwrap_or(usize::MAX));
            for instance in &to_stop {
                if let Some(seat) = state.seats.get_mut(instance) {
                    seat.state = SeatState::Leaving;
                }
            }
            let mut to_freeze = state.seats.idle(now, idle.freeze(), SeatState::Ready);
            let surplus = state.seats.active().saturating_sub(wanted);
            // More than are needed need not wait for it as long as the last.
            let early = state.seats.idle(now, idle.freeze().min(STABLE), SeatState::Ready);
            for instance in early.into_iter().take(usize::try_from(surplus).unwrap_or(usize::MAX)) {
                if !to_freeze.contains(&instance) {
                    to_freeze.push(instance);
                }
            }
            if !state.queue.is_empty() {
                to_freeze.clear();
            }
            for instance in &to_freeze {
                if let Some(seat) = state.seats.get_mut(instance) {
                    // From here on, nothing goes to it that would find it frozen.
                    seat.state = SeatState::Frozen;
                    seat.connections.close();
                }
            }
            (to_freeze, to_stop)
        };
        for instance in to_freeze {
            if !matches!(self.lane.engine.freeze(&instance).await, Ok(true)) {
                // As it was, until the engine says otherwise.
                let mut state = self.lane.state();
                if let Some(seat) = state.seats.get_mut(&instance).filter(|seat| seat.state == SeatState::Frozen) {
                    seat.state = SeatState::Ready;
                }
            }
        }
        if !to_stop.is_empty() {
            let staying = self.lane.state().seats.staying();
            self.scale(staying, to_stop).await;
        }
    }
}

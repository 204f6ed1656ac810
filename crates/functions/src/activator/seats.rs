//! The instances of a lane as places for requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::{ColdStart, Connections, Instance, InstanceId, State};

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) state: SeatState,
    pub(super) busy: u32,
    pub(super) idle_since: Instant,
    pub(super) connections: Arc<Connections>,
    /// What its start took, and when it was over, until its first request.
    pub(super) cold: Option<(ColdStart, Instant)>,
    /// In the order in which they came.
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeatState {
    Starting,
    Ready,
    Frozen,
    /// Gets nothing more.
    Leaving,
}

#[derive(Debug, Default)]
pub(super) struct Seats {
    all: BTreeMap<InstanceId, Seat>,
    came: u64,
}

impl Seats {
    /// Takes over what the engine says. What the lane itself has decided meanwhile stays.
    pub(super) fn update(&mut self, seen: &[Instance], now: Instant, tracker: &TaskTracker) {
        self.all.retain(|id, _| seen.iter().any(|instance| instance.id == *id && !instance.state.is_over()));
        for instance in seen {
            let state = match instance.state {
                State::Pending | State::Starting => SeatState::Starting,
                State::Ready => SeatState::Ready,
                State::Frozen => SeatState::Frozen,
                State::Stopping => SeatState::Leaving,
                State::Stopped { .. } => continue,
            };
            let number = self.came;
            let seat = self.all.entry(instance.id.clone()).or_insert_with(|| Seat {
                state: SeatState::Starting,
                busy: 0,
                idle_since: now,
                connections: Arc::new(Connections::new(instance.id.clone(), tracker.clone())),
                cold: None,
                number,
            });
            self.came += u64::from(seat.number == number);
            if seat.state == SeatState::Leaving {
                continue;
            }
            if seat.state == SeatState::Starting && state == SeatState::Ready {
                // However long the start took, it was not idle meanwhile.
                seat.idle_since = now;
                seat.cold = Some((instance.cold_start, now));
            }
            seat.state = state;
        }
    }

    /// A ready instance with room: the fullest, so that the others become idle.
    pub(super) fn free(&mut self, concurrency: u32) -> Option<(&InstanceId, &mut Seat)> {
        let has_room = |seat: &Seat| seat.state == SeatState::Ready && seat.busy < concurrency;
        let free = self.all.iter_mut().filter(|(_, seat)| has_room(seat));
        free.max_by_key(|(_, seat)| (seat.busy, std::cmp::Reverse(seat.number)))
    }

    pub(super) fn get_mut(&mut self, id: &InstanceId) -> Option<&mut Seat> {
        self.all.get_mut(id)
    }

    pub(super) fn count(&self, state: SeatState) -> u32 {
        let count = self.all.values().filter(|seat| seat.state == state).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Those that serve or are about to.
    pub(super) fn active(&self) -> u32 {
        self.count(SeatState::Ready) + self.count(SeatState::Starting)
    }

    /// Those that stay until it is said otherwise.
    pub(super) fn staying(&self) -> u32 {
        self.active() + self.count(SeatState::Frozen)
    }

    pub(super) fn busy(&self) -> u32 {
        self.all.values().map(|seat| seat.busy).sum()
    }

    /// Instances that have something to do, and all that there are.
    pub(super) fn taken(&self) -> (u32, u32) {
        let busy = self.all.values().filter(|seat| seat.busy > 0).count();
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        (count(busy), count(self.all.len()))
    }

    /// The frozen ones, the latest first: most of what it needs is still at hand.
    pub(super) fn frozen(&self) -> Vec<InstanceId> {
        let mut frozen: Vec<_> = self.all.iter().filter(|(_, seat)| seat.state == SeatState::Frozen).collect();
        frozen.sort_by_key(|(_, seat)| std::cmp::Reverse(seat.idle_since));
        frozen.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Those with nothing to do for so long, the longest first.
    pub(super) fn idle(&self, now: Instant, at_least: Duration, state: SeatState) -> Vec<InstanceId> {
        let is_idle = |seat: &Seat| {
            seat.state == state && seat.busy == 0 && now.saturating_duration_since(seat.idle_since) >= at_least
        };
        let mut idle: Vec<_> = self.all.iter().filter(|(_, seat)| is_idle(seat)).collect();
        idle.sort_by_key(|(_, seat)| (seat.idle_since, std::cmp::Reverse(seat.number)));
        idle.into_iter().map(|(id, _)| id.clone()).collect()
    }
}

//! Instances whose version is served no more: whoever has just saved something still wants to see them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use stoa_functions::{Instance, State, StopReason};
use stoa_model::FunctionId;

use crate::service::ServingInstance;

/// Instances of one function, and functions.
const OF_ONE: usize = 4;
const FUNCTIONS: usize = 16;

#[derive(Default)]
pub(crate) struct Past {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    instances: HashMap<FunctionId, VecDeque<ServingInstance>>,
    /// The one that something was last kept of comes last.
    order: VecDeque<FunctionId>,
}

impl Past {
    fn locked(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, function: FunctionId, version: Option<u32>, instance: &Instance) {
        let mut instance = instance.clone();
        if !instance.state.is_over() {
            instance.state = State::Stopped { reason: StopReason::Asked };
        }
        let mut kept = self.locked();
        kept.order.retain(|other| *other != function);
        kept.order.push_back(function);
        if kept.order.len() > FUNCTIONS
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.instances.remove(&oldest);
        }
        let instances = kept.instances.entry(function).or_default();
        instances.push_back(ServingInstance { version, instance });
        if instances.len() > OF_ONE {
            instances.pop_front();
        }
    }

    pub(crate) fn forget(&self, function: FunctionId) {
        let mut kept = self.locked();
        kept.order.retain(|other| *other != function);
        kept.instances.remove(&function);
    }

    pub(crate) fn instances(&self, function: FunctionId) -> Vec<ServingInstance> {
        let kept = self.locked();
        kept.instances.get(&function).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use stoa_functions::{ColdStart, InstanceId};
    use stoa_model::Timestamp;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn instance(name: &str) -> Instance {
        Instance {
            id: InstanceId::new(name),
            state: State::Ready,
            created_at: NOW,
            since: NOW,
            ready_at: None,
            cold_start: ColdStart::default(),
        }
    }

    #[test]
    fn the_latest_are_kept_and_told_as_over() {
        let past = Past::default();
        let function = FunctionId::generate(NOW);
        for number in 0..6 {
            past.keep(function, Some(1), &instance(&format!("f-{number}")));
        }
        let kept = past.instances(function);
        assert_eq!(kept.len(), OF_ONE);
        assert!(kept.iter().all(|one| one.instance.state.is_over()));
        for _ in 0..FUNCTIONS {
            past.keep(FunctionId::generate(NOW), None, &instance("g"));
        }
        assert!(past.instances(function).is_empty(), "the oldest function goes first");
    }
}

//! What instances had written whose version is served no more: whoever has just saved something still wants to read it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use stoa_functions::{Instance, InstanceId, LogPage, State, StopReason};
use stoa_model::FunctionId;

use crate::service::ServingInstance;

/// Instances of one function, and functions; a log takes at most a mebibyte.
const OF_ONE: usize = 4;
const FUNCTIONS: usize = 16;

#[derive(Default)]
pub(crate) struct Past {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    instances: HashMap<FunctionId, VecDeque<(ServingInstance, LogPage)>>,
    /// The one that something was last kept of comes last.
    order: VecDeque<FunctionId>,
}

impl Past {
    fn locked(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, function: FunctionId, version: Option<u32>, instance: &Instance, log: LogPage) {
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
        instances.push_back((ServingInstance { version, instance }, log));
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
        kept.instances.get(&function).into_iter().flatten().map(|(instance, _)| instance.clone()).collect()
    }

    /// Lines after a number, of an instance that is known.
    pub(crate) fn log(&self, instance: &InstanceId, after: u64) -> Option<LogPage> {
        let kept = self.locked();
        let mut all = kept.instances.values().flatten();
        let (_, log) = all.find(|(known, _)| known.instance.id == *instance)?;
        let lines: Vec<_> = log.lines.iter().filter(|line| line.number > after).cloned().collect();
        let first = lines.first().map_or(after + 1, |line| line.number);
        Some(LogPage { lost: first.saturating_sub(after + 1), lines })
    }
}

#[cfg(test)]
mod tests {
    use stoa_functions::{ColdStart, LogLine, Stream};
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

    fn page(numbers: std::ops::Range<u64>) -> LogPage {
        let line = |number| LogLine { number, at: NOW, stream: Stream::Output, text: number.to_string(), cut: false };
        LogPage { lines: numbers.map(line).collect(), lost: 0 }
    }

    #[test]
    fn the_latest_are_kept_and_told_as_over() {
        let past = Past::default();
        let function = FunctionId::generate(NOW);
        for number in 0..6 {
            past.keep(function, Some(1), &instance(&format!("f-{number}")), page(3..6));
        }
        let kept = past.instances(function);
        assert_eq!(kept.len(), OF_ONE);
        assert!(kept.iter().all(|one| one.instance.state.is_over()));
        assert!(past.log(&InstanceId::new("f-0"), 0).is_none());
        let log = past.log(&InstanceId::new("f-5"), 0).unwrap();
        assert_eq!((log.lines.len(), log.lost), (3, 2));
        assert_eq!(past.log(&InstanceId::new("f-5"), 4).unwrap().lines.len(), 1);
        for _ in 0..FUNCTIONS {
            past.keep(FunctionId::generate(NOW), None, &instance("g"), page(1..2));
        }
        assert!(past.instances(function).is_empty(), "the oldest function goes first");
    }
}

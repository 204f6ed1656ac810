//! Carries what instances wrote, and the calls that are over, to the disk: every half second and whenever somebody looks, and
//! never in the way of a call.
//!
//! What instances write stands in rings of bounded size until then; what a ring has lost meanwhile is counted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoa_functions::{InstanceId, LogPage, Stream};
use stoa_model::{FunctionId, Timestamp};
use tokio::sync::Semaphore;

use crate::log_store::{FoundLog, LogRecord, LogSearch, LogStore, Logged, LoggedCall};
use crate::service::ServiceError;

/// Calls that wait to be written down.
const MAX_PENDING: usize = 10_000;
/// Looks at the disk at once.
const LOOKS: usize = 2;
/// Between the name of an instance and the life that it is of.
const OF_LIFE: char = '~';

#[derive(Default)]
struct Pending {
    calls: VecDeque<(FunctionId, LogRecord)>,
    /// Calls that there was no room for.
    dropped: HashMap<FunctionId, u64>,
}

/// Up to which line the instances are written down, and functions that have a piece of this life.
#[derive(Default)]
struct Written {
    lines: HashMap<InstanceId, u64>,
    begun: HashSet<FunctionId>,
    /// They are deleted, and what their instances say on their way out is not written down.
    gone: HashSet<FunctionId>,
}

pub(crate) struct Logs {
    store: LogStore,
    life: u32,
    calls: AtomicU64,
    pending: Mutex<Pending>,
    written: tokio::sync::Mutex<Written>,
    looks: Semaphore,
}

/// An instance and what it can tell after a line.
pub(crate) struct Source {
    pub(crate) function: FunctionId,
    pub(crate) version: Option<u32>,
    pub(crate) instance: InstanceId,
}

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            store: LogStore::new(folder),
            life: rand::random(),
            calls: AtomicU64::new(0),
            pending: Mutex::default(),
            written: tokio::sync::Mutex::default(),
            looks: Semaphore::new(LOOKS),
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call that is over.
    pub(crate) fn call(
        &self,
        function: FunctionId,
        version: Option<u32>,
        instance: Option<&InstanceId>,
        mut call: LoggedCall,
        now: Timestamp,
    ) {
        call.number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let instance = instance.map_or_else(String::new, |instance| instance.as_str().to_owned());
        let record = LogRecord { at: now.as_millis(), life: self.life, instance, version, what: Logged::Call(call) };
        let mut pending = self.pending();
        if pending.calls.len() < MAX_PENDING {
            pending.calls.push_back((function, record));
        } else {
            *pending.dropped.entry(function).or_default() += 1;
        }
    }

    /// Writes down what `read` has of the sources after what was written, and the calls. With `all`, no other instance is
    /// there any more. What cannot be written is written the next time, as far as it is still there.
    pub(crate) async fn carry<F: Future<Output = Option<LogPage>>>(
        self: &Arc<Self>,
        sources: &[Source],
        read: impl Fn(InstanceId, u64) -> F,
        all: bool,
        now: Timestamp,
    ) {
        let mut written = self.written.lock().await;
        let mut records = HashMap::<FunctionId, Vec<LogRecord>>::new();
        let mut lines = HashMap::new();
        for source in sources {
            let after = written.lines.get(&source.instance).copied().unwrap_or(0);
            let page = read(source.instance.clone(), after).await.unwrap_or_default();
            let last = page.lines.last().map_or(after + page.lost, |line| line.number);
            lines.insert(source.instance.clone(), last);
            let of = |at: Timestamp, what| LogRecord {
                at: at.as_millis(),
                life: self.life,
                instance: source.instance.as_str().to_owned(),
                version: source.version,
                what,
            };
            if page.lost == 0 && page.lines.is_empty() {
                continue;
            }
            let kept = records.entry(source.function).or_default();
            if page.lost > 0 {
                kept.push(of(page.lines.first().map_or(now, |line| line.at), Logged::Lost(page.lost)));
            }
            kept.extend(page.lines.into_iter().map(|line| {
                let error = line.stream == Stream::Error;
                of(line.at, Logged::Line { number: line.number, error, text: line.text, cut: line.cut })
            }));
        }
        let Pending { calls, dropped } = std::mem::take(&mut *self.pending());
        for (function, record) in calls {
            records.entry(function).or_default().push(record);
        }
        for (function, count) in dropped {
            let (instance, what) = (String::new(), Logged::Lost(count));
            let record = LogRecord { at: now.as_millis(), life: self.life, instance, version: None, what };
            records.entry(function).or_default().push(record);
        }
        records.retain(|function, _| !written.gone.contains(function));
        for (function, mut records) in records {
            records.sort_by_key(|record| record.at);
            let anew = !written.begun.contains(&function);
            let store = self.store.clone();
            let done = tokio::task::spawn_blocking(move || store.write(function, &records, anew)).await;
            match done {
                Ok(Ok(())) => drop(written.begun.insert(function)),
                Ok(Err(error)) => {
                    tracing::warn!(%error, %function, "the log of a function cannot be written");
                    for source in sources.iter().filter(|source| source.function == function) {
                        lines.remove(&source.instance);
                    }
                }
                Err(error) => tracing::warn!(%error, %function, "the log of a function cannot be written"),
            }
        }
        if all {
            written.lines.retain(|instance, _| sources.iter().any(|source| source.instance == *instance));
        }
        written.lines.extend(lines);
    }

    pub(crate) async fn search(
        self: &Arc<Self>,
        function: FunctionId,
        search: LogSearch,
    ) -> Result<FoundLog, ServiceError> {
        let _look = self.looks.acquire().await;
        let store = self.store.clone();
        let found = tokio::task::spawn_blocking(move || store.search(function, &search)).await;
        found.map_err(|error| ServiceError::Internal(error.to_string()))?.map_err(ServiceError::Disk)
    }

    /// The function is gone, and its log with it.
    pub(crate) async fn forget(&self, function: FunctionId) {
        let mut written = self.written.lock().await;
        written.begun.remove(&function);
        written.gone.insert(function);
        let store = self.store.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.forget(function)).await {
            tracing::warn!(%error, %function, "the log of a function that is gone is still there");
        }
    }

    pub(crate) async fn sweep(&self, functions: Vec<FunctionId>) {
        let store = self.store.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.sweep(&functions)).await {
            tracing::warn!(%error, "old logs of functions are still there");
        }
    }

    /// How people name the instance of a record: those of other lives are called alike.
    pub(crate) fn name(&self, record: &LogRecord) -> String {
        if record.life == self.life || record.instance.is_empty() {
            return record.instance.clone();
        }
        format!("{}{OF_LIFE}{:08x}", record.instance, record.life)
    }

    /// What such a name means.
    pub(crate) fn named(&self, name: &str) -> (String, u32) {
        let other =
            name.rsplit_once(OF_LIFE).and_then(|(name, life)| Some((name, u32::from_str_radix(life, 16).ok()?)));
        other.map_or_else(|| (name.to_owned(), self.life), |(name, life)| (name.to_owned(), life))
    }
}

#[cfg(test)]
mod tests {
    use stoa_functions::LogRing;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn function() -> FunctionId {
        FunctionId::generate(NOW)
    }

    fn source(function: FunctionId) -> Source {
        Source { function, version: Some(1), instance: InstanceId::new("f-1") }
    }

    fn call(request: &str) -> LoggedCall {
        LoggedCall {
            number: 0,
            request: request.to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status: Some(200),
            ms: 1,
            alias: String::new(),
        }
    }

    async fn found(logs: &Arc<Logs>, function: FunctionId) -> FoundLog {
        logs.search(function, LogSearch { limit: 100_000, ..LogSearch::default() }).await.unwrap()
    }

    #[tokio::test]
    async fn every_line_is_written_once_and_what_a_ring_has_lost_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path().to_owned());
        let function = function();
        // Far more than the ring holds, and more than all that is kept.
        let ring = Arc::new(Mutex::new(LogRing::new(64 * 1024)));
        let read = |_, after| {
            let page = ring.lock().unwrap().after(after, usize::MAX);
            async move { Some(page) }
        };
        for round in 0..40 {
            for _ in 0..(if round % 10 == 9 { 10_000 } else { 50 }) {
                ring.lock().unwrap().push(NOW, Stream::Output, format!("line of {round}").as_bytes(), false);
            }
            logs.carry(&[source(function)], read, true, NOW).await;
        }
        logs.carry(&[source(function)], read, true, NOW).await;
        let found = found(&logs, function).await;
        assert_eq!(found.records.len() as u64 + found.lost, 4 * 10_000 + 36 * 50);
        assert!(found.lost > 30_000, "{}", found.lost);
        let last = logs.search(function, LogSearch { limit: 1, ..LogSearch::default() }).await.unwrap();
        assert!(matches!(&last.records[0].what, Logged::Line { text, .. } if text == "line of 39"));
    }

    #[tokio::test]
    async fn calls_wait_within_bounds_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path().to_owned());
        let function = function();
        for number in 0..MAX_PENDING + 25 {
            logs.call(function, None, None, call(&number.to_string()), NOW);
        }
        let nothing = |_, _| async { None };
        logs.carry(&[], nothing, true, NOW).await;
        let all = found(&logs, function).await;
        assert_eq!((all.records.len(), all.lost), (MAX_PENDING, 25));
        logs.call(function, None, Some(&InstanceId::new("f-1")), call("x"), NOW);
        logs.forget(function).await;
        logs.carry(&[], nothing, true, NOW).await;
        assert_eq!(found(&logs, function).await, FoundLog::default());
    }

    #[tokio::test]
    async fn instances_of_another_life_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let function = function();
        let (one, other) = (Logs::new(folder.path().to_owned()), Logs::new(folder.path().to_owned()));
        one.call(function, None, Some(&InstanceId::new("f-1")), call("x"), NOW);
        one.carry(&[], |_, _| async { None }, true, NOW).await;
        let record = found(&other, function).await.records.remove(0);
        assert_eq!((one.name(&record), one.named("f-1")), ("f-1".to_owned(), ("f-1".to_owned(), one.life)));
        assert_ne!(other.name(&record), "f-1");
        assert_eq!(other.named(&other.name(&record)), ("f-1".to_owned(), one.life));
    }
}

//! What calls and instances take, added up by the minute in memory, noted in a file at once, and written every second.
//!
//! A row is of this process's life and one minute and only grows, so writing it twice counts nothing twice. What a killed
//! process had not written, its successor finds in the file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_functions::ColdStart;
use stoa_functions::activator::Taken;
use stoa_model::{FunctionId, InstanceId, Principal, Timestamp, UserId};
use stoa_storage::{Database, FunctionUsage, StorageError};

use crate::journal::{self, Journal};

const MINUTE_MS: i64 = 60_000;

/// The upper ends of what durations are counted in, in milliseconds; what is longer comes after them.
pub const LATENCY_BOUNDS_MS: [u64; 15] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// Whose account something goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) function: FunctionId,
    pub(crate) version: Option<u32>,
    pub(crate) alias: String,
    pub(crate) caller: Option<UserId>,
}

/// Calls by how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    fn add(&mut self, duration: Duration) {
        let ms = duration.as_millis();
        let place = LATENCY_BOUNDS_MS.iter().position(|bound| ms <= u128::from(*bound));
        let place = place.unwrap_or(LATENCY_BOUNDS_MS.len());
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        if let Some(count) = self.0.get_mut(place) {
            *count += 1;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// The bound below which `part` of the calls stayed; none without calls.
    pub fn quantile_ms(&self, part: f64) -> Option<u64> {
        let all: u64 = self.0.iter().sum();
        let mut below = 0;
        for (place, count) in self.0.iter().enumerate() {
            below += count;
            #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
            if all > 0 && below as f64 >= part * all as f64 {
                return Some(LATENCY_BOUNDS_MS.get(place).copied().unwrap_or(LATENCY_BOUNDS_MS[14]));
            }
        }
        None
    }
}

/// What cold starts went into, in microseconds, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColdSums {
    pub queue_us: u64,
    pub sandbox_us: u64,
    pub spawn_us: u64,
    pub init_us: u64,
    pub first_byte_us: u64,
}

impl ColdSums {
    fn add(&mut self, start: &ColdStart) {
        self.merge(&Self {
            queue_us: micros(start.queue),
            sandbox_us: micros(start.sandbox),
            spawn_us: micros(start.spawn),
            init_us: micros(start.init),
            first_byte_us: start.first_byte.map_or(0, micros),
        });
    }

    pub fn merge(&mut self, other: &Self) {
        self.queue_us += other.queue_us;
        self.sandbox_us += other.sandbox_us;
        self.spawn_us += other.spawn_us;
        self.init_us += other.init_us;
        self.first_byte_us += other.first_byte_us;
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Sums {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    duration_us: u64,
    cpu_us: u64,
    memory_mib_ms: u64,
    latencies: Latencies,
    cold: ColdSums,
    #[serde(skip)]
    state: Written,
}

/// Whether sums are in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    Yes,
    /// They may wait: nobody called.
    Later,
    #[default]
    Soon,
}

pub(crate) struct Meter {
    server: InstanceId,
    folder: PathBuf,
    minutes: Mutex<Minutes>,
}

struct Minutes {
    sums: HashMap<(i64, Account), Sums>,
    journal: Journal,
}

/// What a killed server had added up.
#[derive(Serialize, Deserialize)]
struct Line {
    server: InstanceId,
    minute: i64,
    account: Account,
    sums: Sums,
}

/// A call that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) failed: bool,
    pub(crate) duration: Duration,
    pub(crate) cold: Option<ColdStart>,
}

impl Meter {
    pub(crate) fn new(server: InstanceId, folder: PathBuf) -> Self {
        let journal = Journal::new(folder.clone(), server.to_string());
        Self { server, folder, minutes: Mutex::new(Minutes { sums: HashMap::new(), journal }) }
    }

    fn minutes(&self) -> MutexGuard<'_, Minutes> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, account: Account, now: Timestamp, state: Written, add: impl FnOnce(&mut Sums)) {
        let minute = now.as_millis().div_euclid(MINUTE_MS) * MINUTE_MS;
        let mut minutes = self.minutes();
        let Minutes { sums: all, journal } = &mut *minutes;
        let sums = all.entry((minute, account.clone())).or_default();
        add(sums);
        sums.state = sums.state.max(state);
        let line = |minute, account, sums: &Sums| Line { server: self.server, minute, account, sums: sums.clone() };
        let mut noted = journal.write(&line(minute, account, sums));
        if journal.is_long() {
            let old = journal.turn();
            let missing = all.iter().filter(|(_, sums)| sums.state != Written::Yes);
            let again = missing.map(|((minute, account), sums)| journal.write(&line(*minute, account.clone(), sums)));
            noted = noted.and(again.collect());
            match old {
                Some(old) if noted.is_ok() => old.close(),
                Some(old) => journal.keep(old),
                None => {}
            }
        }
        if let Err(error) = noted {
            tracing::warn!(%error, "what functions took is not noted: it would be lost with the server");
        }
    }

    pub(crate) fn call(&self, account: Account, done: Done, now: Timestamp) {
        self.add(account, now, Written::Soon, |sums| {
            sums.calls += 1;
            sums.errors += u64::from(done.failed);
            sums.duration_us += micros(done.duration);
            sums.latencies.add(done.duration);
            if let Some(cold) = &done.cold {
                sums.cold_starts += 1;
                sums.cold.add(cold);
            }
        });
    }

    /// What instances took: processors while they had something to do, memory all the time.
    pub(crate) fn instances(&self, account: Account, taken: Taken, cpu_millis: u32, memory_mib: u32, now: Timestamp) {
        let cpu_us = micros(taken.busy).saturating_mul(cpu_millis.into()) / 1_000;
        let memory_mib_ms = micros(taken.held).saturating_mul(memory_mib.into()) / 1_000;
        if cpu_us + memory_mib_ms > 0 {
            let state = if cpu_us > 0 { Written::Soon } else { Written::Later };
            self.add(account, now, state, |sums| {
                sums.cpu_us += cpu_us;
                sums.memory_mib_ms += memory_mib_ms;
            });
        }
    }

    /// Writes what has changed, and what may wait as well if it is about `all`. What could not be written is written the next
    /// time.
    pub(crate) async fn write(&self, database: &Database, all: bool, now: Timestamp) -> Result<(), StorageError> {
        let (rows, chapter): (Vec<FunctionUsage>, _) = {
            let mut minutes = self.minutes();
            let least = if all { Written::Later } else { Written::Soon };
            let due = minutes.sums.iter().filter(|(_, sums)| sums.state >= least);
            let rows = due.map(|((minute, account), sums)| row(self.server, *minute, account, sums)).collect();
            let whole = all || minutes.sums.values().all(|sums| sums.state != Written::Later);
            (rows, if whole { minutes.journal.turn() } else { None })
        };
        if !rows.is_empty() {
            let written = database.record_function_usage(&Principal::System("functions"), &rows).await;
            if let Err(error) = written {
                if let Some(chapter) = chapter {
                    self.minutes().journal.keep(chapter);
                }
                return Err(error);
            }
        }
        if let Some(chapter) = chapter {
            chapter.close();
        }
        let over = now.as_millis().div_euclid(MINUTE_MS) * MINUTE_MS;
        let mut minutes = self.minutes();
        for row in rows {
            let account =
                Account { function: row.function, version: row.version, alias: row.alias, caller: row.caller };
            let key = (row.minute.as_millis(), account);
            let Some(sums) = minutes.sums.get_mut(&key) else { continue };
            // Nothing was added while it was being written.
            let same = sums.calls == row.calls && sums.cpu_us == row.cpu_us && sums.memory_mib_ms == row.memory_mib_ms;
            if same {
                sums.state = Written::Yes;
            }
            // A clock that goes back a little finds its minute again.
            if same && key.0 + 5 * MINUTE_MS < over {
                minutes.sums.remove(&key);
            }
        }
        Ok(())
    }

    /// Writes what servers of this machine had added up when they were killed.
    pub(crate) async fn take_over(&self, database: &Database) -> Result<(), TakeOverError> {
        let folder = self.folder.clone();
        let left = tokio::task::spawn_blocking(move || journal::left::<Line>(&folder)).await;
        let (lines, chapter) = left.map_err(std::io::Error::other)??;
        let lines = lines.into_iter().map(|line| ((line.server, line.minute, line.account), line.sums));
        // The last about the same holds.
        let lines: HashMap<_, _> = lines.collect();
        let rows = lines.iter().map(|((server, minute, account), sums)| row(*server, *minute, account, sums));
        let rows: Vec<_> = rows.collect();
        database.record_function_usage(&Principal::System("functions"), &rows).await?;
        chapter.close();
        Ok(())
    }
}

/// Why what was left is still where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeOverError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("it cannot be read")]
    Disk(#[from] std::io::Error),
}

fn row(server: InstanceId, minute: i64, account: &Account, sums: &Sums) -> FunctionUsage {
    FunctionUsage {
        function: account.function,
        version: account.version,
        alias: account.alias.clone(),
        caller: account.caller,
        minute: Timestamp::from_millis(minute),
        server,
        calls: sums.calls,
        errors: sums.errors,
        cold_starts: sums.cold_starts,
        duration_us: sums.duration_us,
        cpu_us: sums.cpu_us,
        memory_mib_ms: sums.memory_mib_ms,
        latencies: serde_json::json!(sums.latencies),
        cold: serde_json::json!(sums.cold),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_most_of_the_calls_are_told_from_their_counts() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile_ms(0.5), None);
        for ms in [1, 1, 3, 4, 90] {
            latencies.add(Duration::from_millis(ms));
        }
        assert_eq!([0.5, 0.8, 0.95].map(|part| latencies.quantile_ms(part)), [Some(5), Some(5), Some(100)]);
        let mut long = Latencies::default();
        long.add(Duration::from_hours(1));
        long.merge(&latencies);
        assert_eq!((long.quantile_ms(0.5), long.quantile_ms(1.0)), (Some(5), Some(60_000)));
    }

    #[test]
    fn a_minute_adds_up_by_account() {
        let now = Timestamp::from_millis(90_000);
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::new(InstanceId::generate(now), folder.path().to_owned());
        let account =
            Account { function: FunctionId::generate(now), version: Some(1), alias: "live".to_owned(), caller: None };
        let done = Done { failed: false, duration: Duration::from_millis(7), cold: None };
        meter.call(account.clone(), done, now);
        meter.call(account.clone(), Done { failed: true, ..done }, Timestamp::from_millis(119_999));
        meter.call(account.clone(), done, Timestamp::from_millis(120_000));
        let taken = Taken { busy: Duration::from_secs(2), held: Duration::from_secs(4) };
        meter.instances(account.clone(), taken, 500, 256, now);
        let minutes = meter.minutes();
        let sums = &minutes.sums[&(60_000, account.clone())];
        assert_eq!((sums.calls, sums.errors, sums.duration_us), (2, 1, 14_000));
        assert_eq!((sums.cpu_us, sums.memory_mib_ms), (1_000_000, 1_024_000));
        assert_eq!(minutes.sums[&(120_000, account)].calls, 1);
    }
}

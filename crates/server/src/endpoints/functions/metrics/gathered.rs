//! Minutes of a function, put together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use stoa_functions_service::{ColdSums, Latencies, Prices};
use stoa_model::usage::UsageSum;
use stoa_model::{Timestamp, UserId};
use stoa_storage::FunctionUsage;

use super::super::instances::version_name;
use super::{CallerShare, ColdAverages, FunctionMetrics, MetricsPoint, MetricsTotals, Taken, VersionShare, Who, ratio};
use crate::problem::{Problem, Result};

/// People that are told one by one.
const MOST_CALLERS: usize = 100;

/// What one account had of a version: its calls.
type Account = (Option<u32>, String, Option<UserId>);

pub(super) struct Gathered {
    step_ms: i64,
    all: Sums,
    points: BTreeMap<(i64, Option<u32>, String), Sums>,
    accounts: BTreeMap<Account, Calls>,
    versions: BTreeMap<Option<u32>, Amount>,
}

#[derive(Default)]
struct Sums {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    duration_us: u64,
    latencies: Latencies,
    cold: ColdSums,
}

#[derive(Clone, Copy, Default)]
struct Calls {
    calls: u64,
    errors: u64,
    duration_us: u64,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    cpu_us: u64,
    memory_mib_ms: u64,
}

/// Calls with what they took.
#[derive(Clone, Copy, Default)]
struct Share {
    calls: u64,
    errors: u64,
    amount: Amount,
}

impl Sums {
    fn add(&mut self, row: &FunctionUsage) -> Result<()> {
        let broken = |error: serde_json::Error| Problem::internal(error.to_string());
        self.calls += row.calls;
        self.errors += row.errors;
        self.cold_starts += row.cold_starts;
        self.duration_us += row.duration_us;
        self.latencies.merge(&serde_json::from_value(row.latencies.clone()).map_err(broken)?);
        self.cold.merge(&serde_json::from_value(row.cold.clone()).map_err(broken)?);
        Ok(())
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.cpu_us += other.cpu_us;
        self.memory_mib_ms += other.memory_mib_ms;
    }

    /// As much of it as `part` is of `whole`.
    fn part(self, part: u64, whole: u64) -> Self {
        let of = |much: u64| u128::from(much) * u128::from(part) / u128::from(whole.max(1));
        let of = |much: u64| u64::try_from(of(much)).unwrap_or(u64::MAX);
        Self { cpu_us: of(self.cpu_us), memory_mib_ms: of(self.memory_mib_ms) }
    }

    fn less(self, other: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_sub(other.cpu_us),
            memory_mib_ms: self.memory_mib_ms.saturating_sub(other.memory_mib_ms),
        }
    }
}

impl Share {
    fn add(&mut self, calls: Calls, amount: Amount) {
        self.calls += calls.calls;
        self.errors += calls.errors;
        self.amount.add(amount);
    }

    fn taken(&self, prices: Prices) -> Taken {
        Taken::priced(prices, self.amount.cpu_us, self.amount.memory_mib_ms, self.calls)
    }
}

impl Gathered {
    pub(super) fn new(step_ms: i64) -> Self {
        Self {
            step_ms,
            all: Sums::default(),
            points: BTreeMap::new(),
            accounts: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, rows: &[FunctionUsage]) -> Result<()> {
        for row in rows {
            let amount = Amount { cpu_us: row.cpu_us, memory_mib_ms: row.memory_mib_ms };
            self.versions.entry(row.version).or_default().add(amount);
            if row.calls == 0 {
                continue;
            }
            self.all.add(row)?;
            let at = row.minute.as_millis().div_euclid(self.step_ms) * self.step_ms;
            self.points.entry((at, row.version, row.alias.clone())).or_default().add(row)?;
            let account = self.accounts.entry((row.version, row.alias.clone(), row.caller)).or_default();
            account.calls += row.calls;
            account.errors += row.errors;
            account.duration_us += row.duration_us;
        }
        Ok(())
    }

    /// Those who are told by their names, and maybe some more.
    pub(super) fn callers(&self) -> Vec<UserId> {
        let shares = self.by_caller();
        let people = shares.iter().filter_map(|(caller, _)| *caller);
        people.take(MOST_CALLERS).collect()
    }

    /// What each account took of its version, and what of each was nobody's.
    fn taken(&self) -> (Vec<(&Account, Calls, Amount)>, Amount) {
        let mut durations = BTreeMap::<Option<u32>, u64>::new();
        for ((version, ..), calls) in &self.accounts {
            *durations.entry(*version).or_default() += calls.duration_us;
        }
        let mut rest = Amount::default();
        for amount in self.versions.values() {
            rest.add(*amount);
        }
        let parts = self.accounts.iter().map(|(account, calls)| {
            let whole = durations.get(&account.0).copied().unwrap_or(0);
            let amount = self.versions.get(&account.0).copied().unwrap_or_default().part(calls.duration_us, whole);
            rest = rest.less(amount);
            (account, *calls, amount)
        });
        let parts = parts.collect();
        (parts, rest)
    }

    /// Whoever took most first.
    fn by_caller(&self) -> Vec<(Option<UserId>, Share)> {
        let (parts, rest) = self.taken();
        let mut shares = HashMap::<Option<UserId>, Share>::new();
        for ((_, _, caller), calls, amount) in parts {
            shares.entry(*caller).or_default().add(calls, amount);
        }
        if rest.cpu_us > 0 || rest.memory_mib_ms > 0 {
            shares.entry(None).or_default().add(Calls::default(), rest);
        }
        let mut shares: Vec<_> = shares.into_iter().collect();
        shares.sort_by_key(|(caller, share)| Reverse((share.amount.cpu_us, share.calls, *caller)));
        shares
    }

    pub(super) fn told(self, prices: Prices, models: UsageSum, names: &HashMap<UserId, String>) -> FunctionMetrics {
        let mut whole = Share { calls: self.all.calls, errors: self.all.errors, amount: Amount::default() };
        for amount in self.versions.values() {
            whole.amount.add(*amount);
        }
        let Taken { cpu_seconds, gb_seconds, cost } = whole.taken(prices);
        let cold = |micros: u64| ratio(micros, self.all.cold_starts) / 1_000.0;
        FunctionMetrics {
            step_ms: self.step_ms,
            by_version: self.version_shares(prices),
            by_caller: self.caller_shares(prices, names),
            cold: ColdAverages {
                count: self.all.cold_starts,
                queue_ms: cold(self.all.cold.queue_us),
                sandbox_ms: cold(self.all.cold.sandbox_us),
                spawn_ms: cold(self.all.cold.spawn_us),
                init_ms: cold(self.all.cold.init_us),
                first_byte_ms: cold(self.all.cold.first_byte_us),
            },
            totals: MetricsTotals {
                calls: self.all.calls,
                errors: self.all.errors,
                cold_starts: self.all.cold_starts,
                cpu_seconds,
                gb_seconds,
                cost,
                p50_ms: self.all.latencies.quantile_ms(0.5),
                p95_ms: self.all.latencies.quantile_ms(0.95),
                models,
            },
            points: self.points.into_iter().map(point).collect(),
        }
    }

    fn version_shares(&self, prices: Prices) -> Vec<VersionShare> {
        let mut aliases = BTreeMap::<&str, u64>::new();
        let mut shares = BTreeMap::<(&str, Option<u32>), Share>::new();
        for ((version, alias, _), calls, amount) in self.taken().0 {
            *aliases.entry(alias).or_default() += calls.calls;
            shares.entry((alias, *version)).or_default().add(calls, amount);
        }
        let told = shares.into_iter().map(|((alias, version), share)| VersionShare {
            version: version_name(version),
            alias: alias.to_owned(),
            calls: share.calls,
            errors: share.errors,
            share: ratio(share.calls, aliases.get(alias).copied().unwrap_or(0)),
            taken: share.taken(prices),
        });
        told.collect()
    }

    fn caller_shares(&self, prices: Prices, names: &HashMap<UserId, String>) -> Vec<CallerShare> {
        let (mut told, mut others, mut people) = (Vec::new(), Share::default(), 0);
        let line = |who, user: Option<UserId>, share: &Share| CallerShare {
            who,
            user_id: user,
            name: user.and_then(|user| names.get(&user).cloned()),
            calls: share.calls,
            errors: share.errors,
            taken: share.taken(prices),
        };
        for (caller, share) in self.by_caller() {
            people += usize::from(caller.is_some());
            match caller {
                None => told.push(line(Who::Nobody, None, &share)),
                Some(_) if people <= MOST_CALLERS => told.push(line(Who::Person, caller, &share)),
                Some(_) => {
                    let calls = Calls { calls: share.calls, errors: share.errors, duration_us: 0 };
                    others.add(calls, share.amount);
                }
            }
        }
        if people > MOST_CALLERS {
            told.push(line(Who::Others, None, &others));
        }
        told
    }
}

fn point(((at, version, alias), sums): ((i64, Option<u32>, String), Sums)) -> MetricsPoint {
    MetricsPoint {
        at: Timestamp::from_millis(at),
        version: version_name(version),
        alias,
        calls: sums.calls,
        errors: sums.errors,
        cold_starts: sums.cold_starts,
        duration_ms_sum: sums.duration_us / 1_000,
        p50_ms: sums.latencies.quantile_ms(0.5),
        p95_ms: sums.latencies.quantile_ms(0.95),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stoa_functions_service::Dollars;
    use stoa_model::{FunctionId, InstanceId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn row(version: u32, caller: Option<UserId>, calls: u64, duration_us: u64, amount: Amount) -> FunctionUsage {
        FunctionUsage {
            function: FunctionId::generate(NOW),
            version: Some(version),
            alias: if calls > 0 { "live".to_owned() } else { String::new() },
            caller,
            minute: NOW,
            server: InstanceId::generate(NOW),
            calls,
            errors: 0,
            cold_starts: 0,
            duration_us,
            cpu_us: amount.cpu_us,
            memory_mib_ms: amount.memory_mib_ms,
            latencies: json!([]),
            cold: json!({ "queue_us": 0, "sandbox_us": 0, "spawn_us": 0, "init_us": 0, "first_byte_us": 0 }),
        }
    }

    #[test]
    fn what_a_version_took_is_divided_by_the_time_of_calls_and_nothing_is_lost() {
        let (ada, charles) = (UserId::generate(NOW), UserId::generate(NOW));
        let amount = |cpu_us| Amount { cpu_us, memory_mib_ms: cpu_us * 2 };
        let mut gathered = Gathered::new(60_000);
        let rows = [
            row(1, Some(ada), 3, 3_000_000, Amount::default()),
            row(1, Some(charles), 1, 1_000_000, Amount::default()),
            row(1, None, 0, 0, amount(4_000_001)),
            row(2, None, 0, 0, amount(500_000)),
        ];
        gathered.add(&rows).unwrap();
        assert_eq!(gathered.callers(), [ada, charles]);
        let prices = Prices { cpu_second: Dollars(1_000), ..Prices::default() };
        let told = gathered.told(prices, UsageSum::default(), &HashMap::from([(ada, "Ada".to_owned())]));
        let cost = |share: &CallerShare| share.taken.cost.unwrap();
        let lines: Vec<_> =
            told.by_caller.iter().map(|share| (share.name.as_deref(), share.calls, cost(share))).collect();
        // Version 2 was kept for nobody, and a microsecond was left over.
        assert_eq!(lines, [(Some("Ada"), 3, 3_000), (None, 1, 1_000), (None, 0, 500)]);
        assert_eq!(told.totals.cost, Some(4_500));
        assert!((told.totals.cpu_seconds - 4.500_001).abs() < 1e-9);
        let version = told.by_version.first().unwrap();
        assert_eq!((version.calls, version.taken.cost), (4, Some(4_000)));
    }

    #[test]
    fn very_many_callers_are_told_together() {
        let mut gathered = Gathered::new(60_000);
        let people = 150_u64;
        let rows: Vec<_> = (0..people)
            .map(|number| row(1, Some(UserId::generate(NOW)), 1, number + 1, Amount::default()))
            .chain([row(1, None, 0, 0, Amount { cpu_us: 15_000_000, memory_mib_ms: 0 })])
            .collect();
        gathered.add(&rows).unwrap();
        let told = gathered.told(Prices::default(), UsageSum::default(), &HashMap::new());
        assert_eq!(told.totals.cost, None, "without prices, nothing is said");
        let people_told = told.by_caller.iter().filter(|share| matches!(share.who, Who::Person)).count();
        assert_eq!(people_told, MOST_CALLERS);
        let calls: u64 = told.by_caller.iter().map(|share| share.calls).sum();
        assert_eq!(calls, people);
        assert!(told.by_caller.iter().any(|share| matches!(share.who, Who::Others) && share.calls == 50));
    }
}

//! Accounts of functions, put together and priced.

use std::cmp::Reverse;
use std::collections::HashMap;

use stoa_functions_service::Prices;
use stoa_model::UserId;
use stoa_model::usage::UsageSum;
use stoa_storage::{FunctionAccount as Account, FunctionPoint, FunctionSum};

use super::super::metrics::Taken;
use super::{AccountLine, AccountPoint, AccountSum, FunctionAccount, FunctionAccounts, PersonAccount};

/// People that are told one by one.
const MOST_PEOPLE: usize = 200;

#[derive(Clone, Copy, Default)]
struct Sum {
    taken: FunctionSum,
    models: UsageSum,
}

impl Sum {
    fn of(account: &Account) -> Self {
        Self { taken: account.taken, models: account.models }
    }

    fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.models += other.models;
    }

    fn told(self, prices: Prices) -> AccountSum {
        AccountSum {
            calls: self.taken.calls,
            errors: self.taken.errors,
            cold_starts: self.taken.cold_starts,
            taken: priced(prices, self.taken),
            models: self.models,
        }
    }

    /// Whatever cost most comes first; without prices, whatever took most.
    fn place(&self, prices: Prices) -> Reverse<(u64, u64, u64)> {
        let FunctionSum { calls, cpu_us, memory_mib_ms, .. } = self.taken;
        let costs = [prices.cost(cpu_us, memory_mib_ms, calls), self.models.cost];
        Reverse((costs.into_iter().flatten().sum(), cpu_us, calls))
    }
}

fn priced(prices: Prices, taken: FunctionSum) -> Taken {
    Taken::priced(prices, taken.cpu_us, taken.memory_mib_ms, taken.calls)
}

pub(super) fn by_function(
    prices: Prices,
    step_ms: i64,
    mut accounts: Vec<Account>,
    points: Vec<FunctionPoint>,
) -> FunctionAccount {
    let mut all = Sum::default();
    for account in &accounts {
        all.add(Sum::of(account));
    }
    accounts.sort_by_key(|account| Sum::of(account).place(prices));
    let lines = accounts.into_iter().map(|account| AccountLine {
        id: account.function,
        sum: Sum::of(&account).told(prices),
        name: account.name,
    });
    let functions = lines.collect();
    let points = points.into_iter().map(|FunctionPoint { at, taken, models_cost }| AccountPoint {
        at,
        calls: taken.calls,
        errors: taken.errors,
        taken: priced(prices, taken),
        models_cost,
    });
    FunctionAccount { step_ms, totals: all.told(prices), functions, points: points.collect() }
}

pub(super) fn by_person(prices: Prices, accounts: Vec<Account>) -> FunctionAccounts {
    let mut all = Sum::default();
    let mut people = HashMap::<UserId, (String, u64, Sum)>::new();
    for account in accounts {
        let sum = Sum::of(&account);
        all.add(sum);
        let person = people.entry(account.owner).or_insert((account.owner_name, 0, Sum::default()));
        person.1 += 1;
        person.2.add(sum);
    }
    let mut people: Vec<_> = people.into_iter().collect();
    people.sort_by_key(|(user, (_, _, sum))| (sum.place(prices), *user));
    let people = people.into_iter().take(MOST_PEOPLE).map(|(user_id, (name, functions, sum))| PersonAccount {
        user_id,
        name,
        functions,
        sum: sum.told(prices),
    });
    FunctionAccounts { totals: all.told(prices), people: people.collect() }
}

#[cfg(test)]
mod tests {
    use stoa_functions_service::Dollars;
    use stoa_model::{FunctionId, Timestamp};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn account(name: &str, owner: UserId, cpu_us: u64, cost: Option<u64>) -> Account {
        Account {
            function: FunctionId::generate(NOW),
            name: name.to_owned(),
            owner,
            owner_name: format!("owner of {name}"),
            taken: FunctionSum { calls: 1, errors: 0, cold_starts: 1, cpu_us, memory_mib_ms: 0 },
            models: UsageSum { calls: 2, prompt_tokens: 5, cost, ..UsageSum::default() },
        }
    }

    #[test]
    fn what_costs_most_comes_first_models_included() {
        let (ada, charles) = (UserId::generate(NOW), UserId::generate(NOW));
        let accounts = || {
            vec![
                account("idle", ada, 1_000_000, None),
                account("busy", ada, 3_000_000, None),
                account("talker", charles, 0, Some(9_000)),
            ]
        };
        let prices = Prices { cpu_second: Dollars(1_000), ..Prices::default() };
        let told = by_function(prices, 60_000, accounts(), Vec::new());
        let lines: Vec<_> =
            told.functions.iter().map(|line| (line.name.as_str(), line.sum.taken.cost, line.sum.models.cost)).collect();
        let expected = [("talker", Some(0), Some(9_000)), ("busy", Some(3_000), None), ("idle", Some(1_000), None)];
        assert_eq!(lines, expected);
        assert_eq!((told.totals.calls, told.totals.taken.cost, told.totals.models.cost), (3, Some(4_000), Some(9_000)));
        assert_eq!(told.totals.models.prompt_tokens, 15);

        let told = by_person(prices, accounts());
        let people: Vec<_> = told.people.iter().map(|person| (person.user_id, person.functions)).collect();
        assert_eq!(people, [(charles, 1), (ada, 2)]);
        assert_eq!(told.people[1].sum.taken.cost, Some(4_000));

        let told = by_function(Prices::default(), 60_000, accounts()[..2].to_vec(), Vec::new());
        assert_eq!((told.functions[0].name.as_str(), told.totals.taken.cost), ("busy", None), "without prices as well");
    }
}

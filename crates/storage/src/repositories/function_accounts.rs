//! What functions took, summed up by function and over time, with what models took that they called.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use sea_orm::sea_query::{Condition, Expr, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use stoa_model::usage::UsageSum;
use stoa_model::{FunctionId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{function_usage, functions, usage_entries, users};
use crate::{Database, StorageError, access};

use super::functions::find;
use super::usage_sums::{Sums, sum, sums};

/// Whose functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionsOf {
    Mine,
    /// Somebody's, for admins.
    Person(UserId),
    /// For admins.
    Everybody,
}

/// What calls of functions add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionSum {
    pub calls: u64,
    pub errors: u64,
    pub cold_starts: u64,
    /// Of processors.
    pub cpu_us: u64,
    /// Of memory that was kept, MiB times milliseconds.
    pub memory_mib_ms: u64,
}

/// What one function took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionAccount {
    pub function: FunctionId,
    pub name: String,
    pub owner: UserId,
    pub owner_name: String,
    pub taken: FunctionSum,
    /// What it had models do with its own token.
    pub models: UsageSum,
}

/// What functions took together, for a while from `at` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPoint {
    pub at: Timestamp,
    pub taken: FunctionSum,
    /// In billionths of a US dollar.
    pub models_cost: Option<u64>,
}

#[derive(FromQueryResult)]
struct Taken {
    calls: i64,
    errors: i64,
    cold_starts: i64,
    cpu_us: i64,
    memory_mib_ms: i64,
}

#[derive(FromQueryResult)]
struct TakenBy<T: sea_orm::TryGetable> {
    of: T,
    #[sea_orm(nested)]
    taken: Taken,
}

#[derive(FromQueryResult)]
struct ModelsOf {
    of: Uuid,
    #[sea_orm(nested)]
    sums: Sums,
}

impl Database {
    /// What each function took since then, by their names; those that took nothing are left out.
    pub async fn function_accounts(
        &self,
        principal: &Principal,
        of: FunctionsOf,
        since: Timestamp,
    ) -> Result<Vec<FunctionAccount>, StorageError> {
        let connection = self.reader();
        let seen = seen(principal, of)?;
        let taken = taken(&seen, since)
            .column_as(function_usage::Column::FunctionId, "of")
            .group_by(function_usage::Column::FunctionId)
            .into_model::<TakenBy<Uuid>>()
            .all(connection)
            .await?;
        let models = sums()
            .filter(called(&seen, since))
            .column_as(usage_entries::Column::FunctionId, "of")
            .group_by(usage_entries::Column::FunctionId)
            .into_model::<ModelsOf>()
            .all(connection)
            .await?;
        let functions = functions::Entity::find()
            .select_only()
            .columns([functions::Column::Id, functions::Column::Name, functions::Column::OwnerId])
            .filter(seen.clone())
            .order_by_asc(functions::Column::Name)
            .into_tuple::<(Uuid, String, Uuid)>()
            .all(connection)
            .await?;
        let owners: HashMap<Uuid, String> = users::Entity::find()
            .select_only()
            .columns([users::Column::Id, users::Column::Name])
            .filter(users::Column::Id.in_subquery(column(&seen, functions::Column::OwnerId)))
            .into_tuple::<(Uuid, String)>()
            .all(connection)
            .await?
            .into_iter()
            .collect();
        let taken: HashMap<Uuid, Taken> = taken.into_iter().map(|row| (row.of, row.taken)).collect();
        let models: HashMap<Uuid, Sums> = models.into_iter().map(|row| (row.of, row.sums)).collect();
        let told = functions.into_iter().filter_map(|(id, name, owner)| {
            let (taken, models) = (taken.get(&id), models.get(&id));
            (taken.is_some() || models.is_some()).then(|| FunctionAccount {
                function: id.into(),
                name,
                owner: owner.into(),
                owner_name: owners.get(&owner).cloned().unwrap_or_default(),
                taken: taken.map(Taken::told).unwrap_or_default(),
                models: models.map(Sums::told).unwrap_or_default(),
            })
        });
        Ok(told.collect())
    }

    /// What they took together, step by step, the oldest first; steps in which nothing was taken are left out.
    pub async fn function_points(
        &self,
        principal: &Principal,
        of: FunctionsOf,
        since: Timestamp,
        step_ms: i64,
    ) -> Result<Vec<FunctionPoint>, StorageError> {
        let seen = seen(principal, of)?;
        let (minutes, calls) = (format!("minute / {step_ms}"), format!("\"at\" / {step_ms}"));
        let taken = taken(&seen, since)
            .expr_as(Expr::cust(minutes.clone()), "of")
            .group_by(Expr::cust(minutes))
            .into_model::<TakenBy<i64>>()
            .all(self.reader())
            .await?;
        let costs = usage_entries::Entity::find()
            .select_only()
            .filter(called(&seen, since))
            .expr_as(Expr::cust(calls.clone()), "of")
            .expr_as(sum("cost"), "cost")
            .group_by(Expr::cust(calls))
            .into_tuple::<(i64, Option<i64>)>()
            .all(self.reader())
            .await?;
        let mut points = BTreeMap::<i64, (FunctionSum, Option<u64>)>::new();
        for row in taken {
            points.entry(row.of).or_default().0 = row.taken.told();
        }
        for (step, cost) in costs {
            points.entry(step).or_default().1 = cost.map(count);
        }
        let told = points.into_iter().map(|(step, (taken, models_cost))| FunctionPoint {
            at: Timestamp::from_millis(step * step_ms),
            taken,
            models_cost,
        });
        Ok(told.collect())
    }

    /// What a function had models do since then with its own token.
    pub async fn function_models(
        &self,
        principal: &Principal,
        id: FunctionId,
        since: Timestamp,
    ) -> Result<UsageSum, StorageError> {
        find(self.reader(), principal, id).await?;
        let row = sums()
            .column_as(usage_entries::Column::FunctionId, "of")
            .filter(usage_entries::Column::FunctionId.eq(id.as_uuid()))
            .filter(usage_entries::Column::At.gte(since.as_millis()))
            .group_by(usage_entries::Column::FunctionId)
            .into_model::<ModelsOf>()
            .one(self.reader())
            .await?;
        Ok(row.map(|row| row.sums.told()).unwrap_or_default())
    }
}

impl AddAssign for FunctionSum {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.cold_starts += other.cold_starts;
        self.cpu_us += other.cpu_us;
        self.memory_mib_ms += other.memory_mib_ms;
    }
}

impl Taken {
    fn told(&self) -> FunctionSum {
        FunctionSum {
            calls: count(self.calls),
            errors: count(self.errors),
            cold_starts: count(self.cold_starts),
            cpu_us: count(self.cpu_us),
            memory_mib_ms: count(self.memory_mib_ms),
        }
    }
}

fn count(sum: i64) -> u64 {
    u64::try_from(sum).unwrap_or(0)
}

/// The functions that are summed up.
fn seen(principal: &Principal, of: FunctionsOf) -> Result<Condition, StorageError> {
    if of != FunctionsOf::Mine {
        access::require(principal.function_accounts_of_all())?;
    }
    Ok(match of {
        FunctionsOf::Mine => access::rows(principal.functions(), functions::Column::OwnerId),
        FunctionsOf::Person(owner) => Condition::all().add(functions::Column::OwnerId.eq(owner.as_uuid())),
        FunctionsOf::Everybody => Condition::all(),
    })
}

fn column(seen: &Condition, column: functions::Column) -> SelectStatement {
    functions::Entity::find().select_only().column(column).filter(seen.clone()).into_query()
}

fn taken(seen: &Condition, since: Timestamp) -> Select<function_usage::Entity> {
    function_usage::Entity::find()
        .select_only()
        .expr_as(sum("calls"), "calls")
        .expr_as(sum("errors"), "errors")
        .expr_as(sum("cold_starts"), "cold_starts")
        .expr_as(sum("cpu_us"), "cpu_us")
        .expr_as(sum("memory_mib_ms"), "memory_mib_ms")
        .filter(function_usage::Column::FunctionId.in_subquery(column(seen, functions::Column::Id)))
        .filter(function_usage::Column::Minute.gte(since.as_millis()))
}

/// What they had models do.
fn called(seen: &Condition, since: Timestamp) -> Condition {
    Condition::all()
        .add(usage_entries::Column::FunctionId.in_subquery(column(seen, functions::Column::Id)))
        .add(usage_entries::Column::At.gte(since.as_millis()))
}

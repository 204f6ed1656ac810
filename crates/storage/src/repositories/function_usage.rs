//! What functions took, by the minute: each server adds up its own rows and writes the sums, as often as it likes.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use stoa_model::{FunctionId, InstanceId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::function_usage::{self, Column};
use crate::entities::users;
use crate::{Database, StorageError};

use super::functions::find;
use super::{from_json, to_json};

/// Rows of one page.
const ROWS: u64 = 5_000;

/// Where the next page begins.
#[derive(Clone, Copy, Debug)]
pub struct UsageCursor(u64);

/// One minute of one server: how often a version was called through an alias by somebody, and what that took.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionUsage {
    pub function: FunctionId,
    /// None for what is not a version yet.
    pub version: Option<u32>,
    /// Empty where it was called by its version.
    pub alias: String,
    pub caller: Option<UserId>,
    /// When the minute began.
    pub minute: Timestamp,
    pub server: InstanceId,
    pub calls: u64,
    pub errors: u64,
    pub cold_starts: u64,
    pub duration_us: u64,
    /// Of processors.
    pub cpu_us: u64,
    /// Of memory that was kept for it, MiB times milliseconds.
    pub memory_mib_ms: u64,
    /// How many calls took how long, as whoever counts them writes it.
    pub latencies: Value,
    /// What the cold starts went into, likewise.
    pub cold: Value,
}

impl Database {
    /// Writes the sums of minutes, in the place of those that were written before. Sums only grow: what comes late is passed
    /// over.
    pub async fn record_function_usage(
        &self,
        principal: &Principal,
        rows: &[FunctionUsage],
    ) -> Result<(), StorageError> {
        if !matches!(principal, Principal::System(_)) {
            return Err(StorageError::Forbidden);
        }
        let key = [Column::FunctionId, Column::Minute, Column::Version, Column::Alias, Column::Caller, Column::Server];
        let sums = [
            Column::Calls,
            Column::Errors,
            Column::ColdStarts,
            Column::DurationUs,
            Column::Latencies,
            Column::Cold,
            Column::CpuUs,
            Column::MemoryMibMs,
        ];
        let transaction = self.begin().await?;
        for row in rows {
            // Functions that were deleted meanwhile have no account any more.
            if !super::function_versions::exists(&transaction, row.function).await? {
                continue;
            }
            let grows = [Column::Calls, Column::CpuUs, Column::MemoryMibMs]
                .map(|column| Expr::col(("excluded", column)).gte(Expr::col((function_usage::Entity, column))));
            let grows = grows.into_iter().fold(Condition::all(), Condition::add);
            let replace = OnConflict::columns(key).update_columns(sums).action_cond_where(grows).to_owned();
            function_usage::Entity::insert(active(row)?)
                .on_conflict(replace)
                .exec_without_returning(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The minutes of a function since then, a page of them, the oldest first, and where the next page begins. What is
    /// written meanwhile comes at the end, or in its place with other sums.
    pub async fn function_usage(
        &self,
        principal: &Principal,
        id: FunctionId,
        since: Timestamp,
        from: Option<UsageCursor>,
    ) -> Result<(Vec<FunctionUsage>, Option<UsageCursor>), StorageError> {
        find(self.reader(), principal, id).await?;
        let offset = from.map_or(0, |UsageCursor(offset)| offset);
        let rows = function_usage::Entity::find()
            .filter(Column::FunctionId.eq(id.as_uuid()))
            .filter(Column::Minute.gte(since.as_millis()))
            .order_by_asc(Column::Minute)
            .order_by_asc(Column::Version)
            .order_by_asc(Column::Alias)
            .order_by_asc(Column::Caller)
            .order_by_asc(Column::Server)
            .offset(offset)
            .limit(ROWS)
            .all(self.reader())
            .await?;
        let read = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let next = (read == ROWS).then_some(UsageCursor(offset.saturating_add(read)));
        Ok((rows.into_iter().map(usage).collect::<Result<_, _>>()?, next))
    }

    /// What those who called a function call themselves.
    pub async fn function_callers(
        &self,
        principal: &Principal,
        id: FunctionId,
        callers: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, String>, StorageError> {
        find(self.reader(), principal, id).await?;
        let rows: Vec<(Uuid, String)> = users::Entity::find()
            .select_only()
            .columns([users::Column::Id, users::Column::Name])
            .filter(users::Column::Id.is_in(callers.into_iter().map(UserId::as_uuid)))
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|(id, name)| (id.into(), name)).collect())
    }
}

fn active(row: &FunctionUsage) -> Result<function_usage::ActiveModel, StorageError> {
    let count = |number: u64| Set(i64::try_from(number).unwrap_or(i64::MAX));
    Ok(function_usage::ActiveModel {
        function_id: Set(row.function.into()),
        version: Set(row.version.map_or(0, |version| i32::try_from(version).unwrap_or(i32::MAX))),
        alias: Set(row.alias.clone()),
        caller: Set(row.caller.map_or(Uuid::nil(), Into::into)),
        minute: Set(row.minute.as_millis()),
        server: Set(row.server.into()),
        calls: count(row.calls),
        errors: count(row.errors),
        cold_starts: count(row.cold_starts),
        duration_us: count(row.duration_us),
        latencies: Set(to_json("function_usage", "latencies", &row.latencies)?),
        cold: Set(to_json("function_usage", "cold", &row.cold)?),
        cpu_us: count(row.cpu_us),
        memory_mib_ms: count(row.memory_mib_ms),
    })
}

fn usage(row: function_usage::Model) -> Result<FunctionUsage, StorageError> {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(FunctionUsage {
        function: row.function_id.into(),
        version: u32::try_from(row.version).ok().filter(|version| *version > 0),
        caller: (!row.caller.is_nil()).then(|| row.caller.into()),
        minute: Timestamp::from_millis(row.minute),
        server: row.server.into(),
        calls: count(row.calls),
        errors: count(row.errors),
        cold_starts: count(row.cold_starts),
        duration_us: count(row.duration_us),
        cpu_us: count(row.cpu_us),
        memory_mib_ms: count(row.memory_mib_ms),
        latencies: from_json("function_usage", "latencies", row.function_id, &row.latencies)?,
        cold: from_json("function_usage", "cold", row.function_id, &row.cold)?,
        alias: row.alias,
    })
}

//! Timers of functions: when each is due, and that of several servers one takes it.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::function::{FunctionTimer, MAX_TIMERS, TimerProfile, TimerRun};
use stoa_model::{FunctionId, FunctionTimerId, Principal, Timestamp};

use crate::entities::function_timers;
use crate::{Database, StorageError};

use super::functions::{find, locked};
use super::{from_json, insert, to_json};

/// A timer whose time has come.
#[derive(Clone, Debug)]
pub struct DueTimer {
    pub function: FunctionId,
    pub timer: FunctionTimer,
}

impl Database {
    pub async fn function_timers(
        &self,
        principal: &Principal,
        id: FunctionId,
    ) -> Result<Vec<FunctionTimer>, StorageError> {
        find(self.reader(), principal, id).await?;
        let rows = of(id).order_by_asc(function_timers::Column::Id).all(self.reader()).await?;
        rows.iter().map(timer).collect()
    }

    /// Makes a timer, or changes the one that is named. `next_at` is when it is due, if ever.
    pub async fn put_function_timer(
        &self,
        principal: &Principal,
        id: FunctionId,
        named: Option<FunctionTimerId>,
        profile: &TimerProfile,
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<FunctionTimer, StorageError> {
        let transaction = self.begin().await?;
        locked(&transaction, principal, id).await?;
        let json = to_json("function_timers", "profile", profile)?;
        let timer_id = named.unwrap_or_else(|| FunctionTimerId::generate(now));
        if named.is_some() {
            let changed = function_timers::Entity::update_many()
                .filter(function_timers::Column::Id.eq(timer_id.as_uuid()))
                .filter(function_timers::Column::FunctionId.eq(id.as_uuid()))
                .col_expr(function_timers::Column::Profile, Expr::value(json))
                .col_expr(function_timers::Column::Enabled, Expr::value(profile.enabled))
                .col_expr(function_timers::Column::NextAt, Expr::value(next_at.map(Timestamp::as_millis)))
                .exec(&transaction)
                .await?;
            if changed.rows_affected == 0 {
                return Err(StorageError::NotFound);
            }
        } else {
            if of(id).count(&transaction).await? >= MAX_TIMERS {
                return Err(StorageError::Refused("the function has too many timers already"));
            }
            let row = function_timers::Model {
                id: timer_id.into(),
                function_id: id.into(),
                profile: json,
                enabled: profile.enabled,
                next_at: next_at.map(Timestamp::as_millis),
                last: None,
            };
            insert(&transaction, row).await?;
        }
        let made = one(&transaction, timer_id).await?;
        transaction.commit().await?;
        Ok(made)
    }

    pub async fn delete_function_timer(
        &self,
        principal: &Principal,
        id: FunctionId,
        timer: FunctionTimerId,
    ) -> Result<(), StorageError> {
        find(self.writer(), principal, id).await?;
        let deleted = function_timers::Entity::delete_many()
            .filter(function_timers::Column::Id.eq(timer.as_uuid()))
            .filter(function_timers::Column::FunctionId.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        if deleted.rows_affected == 0 { Err(StorageError::NotFound) } else { Ok(()) }
    }

    /// Those that are due now. Each is to be [taken](Self::take_function_timer) before it runs.
    pub async fn due_function_timers(&self, now: Timestamp, at_most: u64) -> Result<Vec<DueTimer>, StorageError> {
        let rows = function_timers::Entity::find()
            .filter(function_timers::Column::Enabled.eq(true))
            .filter(function_timers::Column::NextAt.lte(now.as_millis()))
            .order_by_asc(function_timers::Column::NextAt)
            .limit(at_most)
            .all(self.reader())
            .await?;
        rows.iter().map(|row| Ok(DueTimer { function: row.function_id.into(), timer: timer(row)? })).collect()
    }

    /// Whether the caller is the one that runs it this time; then it is due again at `next_at`.
    pub async fn take_function_timer(&self, due: &DueTimer, next_at: Option<Timestamp>) -> Result<bool, StorageError> {
        let taken = function_timers::Entity::update_many()
            .filter(function_timers::Column::Id.eq(due.timer.id.as_uuid()))
            .filter(function_timers::Column::Enabled.eq(true))
            .filter(function_timers::Column::NextAt.eq(due.timer.next_at.map(Timestamp::as_millis)))
            .col_expr(function_timers::Column::NextAt, Expr::value(next_at.map(Timestamp::as_millis)))
            .exec(self.writer())
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Notes what became of a run.
    pub async fn note_timer_run(&self, id: FunctionTimerId, run: &TimerRun) -> Result<(), StorageError> {
        function_timers::Entity::update_many()
            .filter(function_timers::Column::Id.eq(id.as_uuid()))
            .col_expr(function_timers::Column::Last, Expr::value(to_json("function_timers", "last", run)?))
            .exec(self.writer())
            .await?;
        Ok(())
    }
}

fn of(function: FunctionId) -> sea_orm::Select<function_timers::Entity> {
    function_timers::Entity::find().filter(function_timers::Column::FunctionId.eq(function.as_uuid()))
}

async fn one<C: ConnectionTrait>(connection: &C, id: FunctionTimerId) -> Result<FunctionTimer, StorageError> {
    let row = function_timers::Entity::find_by_id(id.as_uuid()).one(connection).await?;
    timer(&row.ok_or(StorageError::NotFound)?)
}

fn timer(row: &function_timers::Model) -> Result<FunctionTimer, StorageError> {
    let last = row.last.as_deref();
    Ok(FunctionTimer {
        id: row.id.into(),
        profile: from_json("function_timers", "profile", row.id, &row.profile)?,
        next_at: row.next_at.map(Timestamp::from_millis),
        last: last.map(|text| from_json("function_timers", "last", row.id, text)).transpose()?,
    })
}

//! The usage ledger summed up: by day and model, and by person.

use std::collections::HashMap;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Select};
use stoa_model::usage::{DailyUsage, PersonalUsage, UsageSum};
use stoa_model::{Predicate, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{usage_entries, users};
use crate::{Database, StorageError, access};

const DAY_MS: i64 = 86_400_000;

/// Whose calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageOf {
    Mine,
    Everybody,
}

/// The days that are summed up, by a clock that is so far from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageSpan {
    /// The last day is the one that holds this moment.
    pub until: Timestamp,
    /// At least 1.
    pub days: u16,
    pub utc_offset_minutes: i16,
}

/// How many sums of a day and a model, or of a person, are told at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageLimit(pub u64);

#[derive(FromQueryResult)]
pub(super) struct Sums {
    calls: i64,
    failed: i64,
    prompt_tokens: i64,
    cached_tokens: i64,
    completion_tokens: i64,
    reasoning_tokens: i64,
    cost: Option<i64>,
}

#[derive(FromQueryResult)]
struct Day {
    day: i64,
    model: String,
    #[sea_orm(nested)]
    sums: Sums,
}

#[derive(FromQueryResult)]
struct Person {
    user_id: Option<Uuid>,
    #[sea_orm(nested)]
    sums: Sums,
}

impl Database {
    /// The latest day first; of a day, the model with the most tokens first.
    pub async fn daily_usage(
        &self,
        principal: &Principal,
        of: UsageOf,
        span: UsageSpan,
        UsageLimit(most): UsageLimit,
    ) -> Result<Vec<DailyUsage>, StorageError> {
        let day = format!("(\"at\" + {}) / {DAY_MS}", span.offset_ms());
        let rows = summed(principal, of, span)?
            .expr_as(Expr::cust(day.clone()), "day")
            .column(usage_entries::Column::Model)
            .group_by(Expr::cust(day.clone()))
            .group_by(usage_entries::Column::Model)
            .order_by_desc(Expr::cust(day))
            .order_by_desc(tokens())
            .order_by_asc(usage_entries::Column::Model)
            .limit(most)
            .into_model::<Day>()
            .all(self.reader())
            .await?;
        let told = |row: Day| DailyUsage {
            date: Timestamp::from_millis(row.day * DAY_MS).date(),
            model: row.model,
            sum: row.sums.told(),
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// Everybody who has called a model, for admins; who has used the most tokens first.
    pub async fn usage_by_person(
        &self,
        principal: &Principal,
        span: UsageSpan,
        UsageLimit(most): UsageLimit,
    ) -> Result<Vec<PersonalUsage>, StorageError> {
        let rows = summed(principal, UsageOf::Everybody, span)?
            .column(usage_entries::Column::UserId)
            .group_by(usage_entries::Column::UserId)
            .order_by_desc(tokens())
            .order_by_asc(usage_entries::Column::UserId)
            .limit(most)
            .into_model::<Person>()
            .all(self.reader())
            .await?;
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.user_id).collect();
        let names: HashMap<Uuid, String> = users::Entity::find()
            .select_only()
            .columns([users::Column::Id, users::Column::Name])
            .filter(users::Column::Id.is_in(ids))
            .into_tuple::<(Uuid, String)>()
            .all(self.reader())
            .await?
            .into_iter()
            .collect();
        let told = |row: Person| PersonalUsage {
            user_id: row.user_id.map(Into::into),
            name: row.user_id.and_then(|id| names.get(&id).cloned()),
            sum: row.sums.told(),
        };
        Ok(rows.into_iter().map(told).collect())
    }
}

impl UsageSpan {
    const fn offset_ms(self) -> i64 {
        self.utc_offset_minutes as i64 * 60_000
    }

    /// From the beginning of the first day to the end of the last.
    fn bounds(self) -> (i64, i64) {
        let end = ((self.until.as_millis() + self.offset_ms()).div_euclid(DAY_MS) + 1) * DAY_MS - self.offset_ms();
        (end - i64::from(self.days) * DAY_MS, end)
    }
}

impl Sums {
    pub(super) fn told(&self) -> UsageSum {
        let told = |sum: i64| u64::try_from(sum).unwrap_or(0);
        UsageSum {
            calls: told(self.calls),
            failed: told(self.failed),
            prompt_tokens: told(self.prompt_tokens),
            cached_tokens: told(self.cached_tokens),
            completion_tokens: told(self.completion_tokens),
            reasoning_tokens: told(self.reasoning_tokens),
            cost: self.cost.map(told),
        }
    }
}

fn summed(principal: &Principal, of: UsageOf, span: UsageSpan) -> Result<Select<usage_entries::Entity>, StorageError> {
    let seen = match of {
        UsageOf::Mine => principal.usage(),
        UsageOf::Everybody => {
            access::require(principal.usage_of_all())?;
            Predicate::All
        }
    };
    let (from, to) = span.bounds();
    let counted = match of {
        UsageOf::Mine => Condition::all(),
        // What a browser claims is its owner's affair.
        UsageOf::Everybody => Condition::all().add(usage_entries::Column::ByBrowser.eq(false)),
    };
    Ok(sums()
        .filter(access::rows(seen, usage_entries::Column::UserId))
        .filter(counted)
        .filter(usage_entries::Column::At.gte(from))
        .filter(usage_entries::Column::At.lt(to)))
}

/// What calls add up to, as [`Sums`].
pub(super) fn sums() -> Select<usage_entries::Entity> {
    let failed = format!("CAST(SUM(CASE WHEN outcome IN ({GOOD}) THEN 0 ELSE 1 END) AS BIGINT)");
    usage_entries::Entity::find()
        .select_only()
        .expr_as(Expr::cust("COUNT(*)"), "calls")
        .expr_as(Expr::cust(failed), "failed")
        .expr_as(sum("prompt_tokens"), "prompt_tokens")
        .expr_as(sum("cached_tokens"), "cached_tokens")
        .expr_as(sum("completion_tokens"), "completion_tokens")
        .expr_as(sum("reasoning_tokens"), "reasoning_tokens")
        .expr_as(sum("cost"), "cost")
}

/// PostgreSQL sums numbers of 64 bits up to ones without a bound.
pub(super) fn sum(column: &str) -> SimpleExpr {
    Expr::cust(format!("CAST(SUM({column}) AS BIGINT)"))
}

/// How a call ends that came to its end, or was stopped by whoever asked.
const GOOD: &str = "'stop', 'length', 'content_filter', 'tool_calls', 'stopped'";

fn tokens() -> SimpleExpr {
    usage_entries::Column::PromptTokens.sum().add(usage_entries::Column::CompletionTokens.sum())
}

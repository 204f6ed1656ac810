//! The usage ledger: one row a model call, only ever added to.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use stoa_model::completion::Usage;
use stoa_model::conversation::Timings;
use stoa_model::{ApiKeyId, FunctionId, GenerationId, Principal, ProviderId, Timestamp, UsageId, UserId};

use crate::entities::usage_entries;
use crate::{Database, StorageError};

/// One settled call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    pub id: UsageId,
    pub at: Timestamp,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub generation: Option<GenerationId>,
    /// Which function of the user's has called.
    pub function: Option<FunctionId>,
    /// `slug/name`.
    pub model: String,
    pub provider: Option<ProviderId>,
    /// `stop`, `length`, `stopped`, …, or the code of the error.
    pub outcome: String,
    pub usage: Usage,
    pub timings: Timings,
    /// A browser made the call and told the figures: nobody can vouch for them.
    pub by_browser: bool,
}

impl Database {
    pub async fn record_usage(&self, principal: &Principal, rows: Vec<UsageRow>) -> Result<(), StorageError> {
        if !matches!(principal, Principal::System(_)) {
            return Err(StorageError::Forbidden);
        }
        insert(self.writer(), &rows).await
    }
}

pub(super) async fn insert<C: ConnectionTrait>(connection: &C, rows: &[UsageRow]) -> Result<(), StorageError> {
    for rows in rows.chunks(1_000) {
        let rows = rows.iter().cloned().map(|row| usage_entries::ActiveModel {
            id: Set(row.id.into()),
            at: Set(row.at.as_millis()),
            user_id: Set(row.user.map(Into::into)),
            api_key_id: Set(row.api_key.map(Into::into)),
            generation_id: Set(row.generation.map(Into::into)),
            function_id: Set(row.function.map(Into::into)),
            model: Set(row.model),
            provider_id: Set(row.provider.map(Into::into)),
            outcome: Set(row.outcome),
            prompt_tokens: Set(count(row.usage.prompt_tokens)),
            completion_tokens: Set(count(row.usage.completion_tokens)),
            cached_tokens: Set(count(row.usage.cached_tokens)),
            reasoning_tokens: Set(count(row.usage.reasoning_tokens)),
            cost: Set(row.usage.cost.map(count)),
            first_token_ms: Set(Some(count(row.timings.first_token_ms)).filter(|ms| *ms > 0)),
            total_ms: Set(count(row.timings.total_ms)),
            by_browser: Set(row.by_browser),
        });
        usage_entries::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// An upstream may claim any number. The ledger takes what a few million rows can add up to without overflowing.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(MOST).min(MOST)
}

/// A trillion tokens, or a thousand dollars, of one call.
const MOST: i64 = 1_000_000_000_000;

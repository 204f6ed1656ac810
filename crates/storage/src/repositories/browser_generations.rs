//! Answers that their owner's browser writes: it uploads what its provider says, and any server appends it.
//!
//! The browser owns the generation as an instance owns the ones that it writes: a row of `instances` of its own stands for
//! it, each upload is its heartbeat, and what falls silent is interrupted by whoever looks for orphans.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use stoa_model::conversation::{MessageStatus, Part};
use stoa_model::personal::{is_personal, split_personal_id};
use stoa_model::{GenerationId, InstanceId, Principal, Timestamp};

use crate::entities::{generation_chunks, generations, instances, personal_providers};
use crate::{Database, Notice, StorageError};

use super::generations::{Chunk, Outcome, TurnLimits, chunk_row};
use super::messages::find_message;
use super::personal_providers::StoredPersonalProvider;

/// In the place of the version of a server.
pub(super) const BROWSER: &str = "browser";

/// A browser's heartbeat is dated so far ahead: beside the patience that every instance is shown, for a tab out of sight
/// wakes up once a minute at worst.
pub const BROWSER_PATIENCE: Duration = Duration::from_mins(1);

/// What is there of an answer when more of it is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSoFar {
    /// 0 when there is nothing.
    pub last_seq: u64,
    /// Of the log, encoded.
    pub bytes: u64,
    pub started_at: Timestamp,
    /// `~slug/name`.
    pub model: String,
}

/// Turns what the message held before and its log into how the generation ended.
pub type EndLog = Box<dyn FnOnce(Vec<Part>, &[Chunk]) -> Outcome + Send>;

/// What an upload adds.
#[derive(Default)]
pub struct BrowserStep {
    pub chunk: Option<Chunk>,
    pub end: Option<EndLog>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserAppend {
    pub last_seq: u64,
    /// It goes on; otherwise it has ended, now or before.
    pub running: bool,
}

impl Database {
    /// Appends to an answer that the principal's browser writes, and ends it if `step` says so. When this answers, it is
    /// kept. What comes after the end is left aside.
    pub async fn append_by_browser(
        &self,
        principal: &Principal,
        id: GenerationId,
        now: Timestamp,
        step: impl FnOnce(LogSoFar) -> Result<BrowserStep, StorageError> + Send,
    ) -> Result<BrowserAppend, StorageError> {
        let transaction = self.begin().await?;
        let row = generations::Entity::find_by_id(id.as_uuid())
            .lock_exclusive()
            .one(&transaction)
            .await?
            .filter(|row| is_personal(&row.model))
            .ok_or(StorageError::NotFound)?;
        find_message(&transaction, principal, row.message_id.into()).await?;
        if row.state != MessageStatus::Running.as_str() {
            let last_seq = u64::try_from(row.last_seq).unwrap_or(0);
            return Ok(BrowserAppend { last_seq, running: false });
        }
        if !browser_lives(&transaction, row.owner_id.into(), now).await? {
            return Err(StorageError::NotFound);
        }
        let so_far = Self::log_so_far(&transaction, &row).await?;
        let mut last_seq = so_far.last_seq;
        let step = step(so_far)?;
        if let Some(chunk) = &step.chunk {
            last_seq = chunk.last_seq;
            generation_chunks::Entity::insert(chunk_row(id, chunk)).exec_without_returning(&transaction).await?;
        }
        let running = step.end.is_none();
        if let Some(end) = step.end {
            let (base, chunks) = Self::base_and_log(&transaction, &row).await?;
            self.fold(&transaction, id, &end(base, &chunks), now).await?;
        }
        transaction.commit().await?;
        if !running {
            self.notices().publish(Notice::Finished { generation: id }).await;
            let (user, conversation) = (row.user_id.into(), row.conversation_id.into());
            self.notices().publish(Notice::Conversation { user, conversation }).await;
        }
        Ok(BrowserAppend { last_seq, running })
    }

    /// After a server was away, browsers are given the time to say that they are still there.
    pub async fn revive_browsers(&self, now: Timestamp) -> Result<(), StorageError> {
        instances::Entity::update_many()
            .col_expr(instances::Column::HeartbeatAt, Expr::value(now.plus(BROWSER_PATIENCE).as_millis()))
            .filter(instances::Column::Version.eq(BROWSER))
            .exec(self.writer())
            .await?;
        Ok(())
    }

    /// The provider whose model the principal's own browser has to call. `None` for every other model, and for one that
    /// its owner does not have.
    pub(super) async fn called_by_browser(
        &self,
        transaction: &DatabaseTransaction,
        principal: &Principal,
        model: &str,
        limits: TurnLimits,
    ) -> Result<Option<StoredPersonalProvider>, StorageError> {
        let Some((slug, name)) = split_personal_id(model) else { return Ok(None) };
        // A program is no browser, and is not handed what the browser needs to know.
        if !limits.personal_providers || principal.session_id().is_none() {
            return Ok(None);
        }
        let found =
            self.find_personal_provider(transaction, principal, personal_providers::Column::Slug.eq(slug)).await?;
        Ok(found.filter(|found| found.provider.model(name).is_some()))
    }

    async fn log_so_far(transaction: &DatabaseTransaction, row: &generations::Model) -> Result<LogSoFar, StorageError> {
        let (last_seq, bytes): (Option<i64>, Option<i64>) = generation_chunks::Entity::find()
            .select_only()
            .column_as(generation_chunks::Column::LastSeq.max(), "last")
            .column_as(Expr::cust("CAST(SUM(LENGTH(data)) AS BIGINT)"), "bytes")
            .filter(generation_chunks::Column::GenerationId.eq(row.id))
            .into_tuple()
            .one(transaction)
            .await?
            .unwrap_or_default();
        let told = |number: Option<i64>| u64::try_from(number.unwrap_or(0)).unwrap_or(0);
        Ok(LogSoFar {
            last_seq: told(last_seq),
            bytes: told(bytes),
            started_at: Timestamp::from_millis(row.started_at),
            model: row.model.clone(),
        })
    }
}

/// A browser that is to write a generation.
pub(super) async fn browser_begins(
    transaction: &DatabaseTransaction,
    now: Timestamp,
) -> Result<InstanceId, StorageError> {
    let id = InstanceId::generate(now);
    let row = instances::ActiveModel {
        id: Set(id.into()),
        version: Set(BROWSER.to_owned()),
        started_at: Set(now.as_millis()),
        heartbeat_at: Set(now.plus(BROWSER_PATIENCE).as_millis()),
    };
    instances::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(id)
}

/// Its heartbeat. False when no browser writes this, or one that comes too late: its generation is an orphan.
async fn browser_lives(
    transaction: &DatabaseTransaction,
    id: InstanceId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let updated = instances::Entity::update_many()
        .col_expr(instances::Column::HeartbeatAt, Expr::value(now.plus(BROWSER_PATIENCE).as_millis()))
        .filter(instances::Column::Id.eq(id.as_uuid()).and(instances::Column::Version.eq(BROWSER)))
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Its generation has ended.
pub(super) async fn browser_ends(transaction: &DatabaseTransaction, id: InstanceId) -> Result<(), StorageError> {
    instances::Entity::delete_many()
        .filter(instances::Column::Id.eq(id.as_uuid()).and(instances::Column::Version.eq(BROWSER)))
        .exec(transaction)
        .await?;
    Ok(())
}

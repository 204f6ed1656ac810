//! Files: what people have uploaded, which messages show it, and when it may go.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use stoa_model::conversation::Part;
use stoa_model::file::File;
use stoa_model::{FileId, MessageId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{assistants, blobs, files, function_builds, function_versions, functions, message_files};
use crate::{Database, StorageError, access};

use super::insert;

/// A file whose blobs are in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Of the picture, claimed by [`Database::claim_blob`] and put.
    pub digest: String,
    /// Of its small rendition, if it has one.
    pub small_digest: Option<String>,
    pub media_type: String,
    pub name: String,
    pub bytes: u64,
    pub width: u32,
    pub height: u32,
}

/// What one person may keep and send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    pub bytes_per_user: u64,
    /// So many uploads within that time.
    pub uploads: u64,
    pub within: Duration,
}

/// A file with the places of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    pub file: File,
    pub digest: String,
    pub small_digest: Option<String>,
}

impl Database {
    /// Refuses whoever has no room for another file, or has sent too many.
    pub async fn check_file_room(
        &self,
        principal: &Principal,
        limits: FileLimits,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        check_room(self.reader(), principal, limits, 0, now).await
    }

    /// Says that a blob is about to be put, so that nobody removes it meanwhile. False when it is just being removed:
    /// try again a little later.
    pub async fn claim_blob(&self, digest: &str, now: Timestamp) -> Result<bool, StorageError> {
        use sea_orm::sea_query::OnConflict;
        let transaction = self.begin().await?;
        let row = blobs::ActiveModel {
            digest: Set(digest.to_owned()),
            touched_at: Set(now.as_millis()),
            condemned_at: Set(None),
            condemned_by: Set(None),
        };
        blobs::Entity::insert(row)
            .on_conflict(OnConflict::column(blobs::Column::Digest).do_nothing().to_owned())
            .exec_without_returning(&transaction)
            .await?;
        let claimed = touch_blob(&transaction, digest, now).await?;
        transaction.commit().await?;
        Ok(claimed)
    }

    /// Keeps a file. Several uploads at once may go past the bounds by what they bring.
    pub async fn create_file(
        &self,
        principal: &Principal,
        new: NewFile,
        limits: FileLimits,
        now: Timestamp,
    ) -> Result<File, StorageError> {
        self.keep_file(principal, FileId::generate(now), new, limits, now).await
    }

    /// Keeps a file that comes with an import, under the id that it has there, however many came just now.
    pub async fn import_file(
        &self,
        principal: &Principal,
        id: FileId,
        new: NewFile,
        limits: FileLimits,
        now: Timestamp,
    ) -> Result<File, StorageError> {
        self.keep_file(principal, id, new, FileLimits { uploads: u64::MAX, ..limits }, now).await
    }

    async fn keep_file(
        &self,
        principal: &Principal,
        id: FileId,
        new: NewFile,
        limits: FileLimits,
        now: Timestamp,
    ) -> Result<File, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        check_room(&transaction, principal, limits, new.bytes, now).await?;
        for digest in [Some(&new.digest), new.small_digest.as_ref()].into_iter().flatten() {
            if !touch_blob(&transaction, digest, now).await? {
                return Err(StorageError::Refused("the upload took too long"));
            }
        }
        let row = files::Model {
            id: id.into(),
            owner_id: owner.into(),
            digest: new.digest,
            small_digest: new.small_digest,
            media_type: new.media_type,
            name: new.name,
            bytes: i64::try_from(new.bytes).unwrap_or(i64::MAX),
            width: new.width.into(),
            height: new.height.into(),
            created_at: now.as_millis(),
            used_at: now.as_millis(),
        };
        insert(&transaction, row.clone()).await.map_err(StorageError::taken("file"))?;
        transaction.commit().await?;
        Ok(stored(row)?.file)
    }

    pub async fn file(&self, principal: &Principal, id: FileId) -> Result<StoredFile, StorageError> {
        self.files(principal, &[id]).await?.pop().ok_or(StorageError::NotFound)
    }

    /// Those of these that are there and the principal's, each once, in no order.
    pub async fn files(&self, principal: &Principal, ids: &[FileId]) -> Result<Vec<StoredFile>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = visible(principal)
            .filter(files::Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
            .all(self.reader())
            .await?;
        rows.into_iter().map(stored).collect()
    }

    /// Removes a file that no message shows.
    pub async fn delete_file(&self, principal: &Principal, id: FileId) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let row = visible(principal)
            .filter(files::Column::Id.eq(id.as_uuid()))
            .lock_exclusive()
            .one(&transaction)
            .await?
            .ok_or(StorageError::NotFound)?;
        // Looked for after the lock was got: a message that took the file just now is seen.
        let shown =
            message_files::Entity::find().filter(message_files::Column::FileId.eq(row.id)).count(&transaction).await?;
        if shown > 0 {
            return Err(StorageError::Refused("a message shows this file"));
        }
        files::Entity::delete_by_id(row.id).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Removes a few files that no message shows and that nobody has used since.
    pub async fn sweep_files(&self, unused_since: Timestamp, at_most: u64) -> Result<u64, StorageError> {
        let unused = || {
            let shown = Query::select()
                .column(message_files::Column::FileId)
                .from(message_files::Entity)
                .and_where(
                    Expr::col((message_files::Entity, message_files::Column::FileId))
                        .equals((files::Entity, files::Column::Id)),
                )
                .take();
            // The time is of the row itself, so that a file which is just being put into a message is passed over.
            Condition::all().add(files::Column::UsedAt.lt(unused_since.as_millis())).add(Expr::exists(shown).not())
        };
        let ids: Vec<Uuid> = files::Entity::find()
            .select_only()
            .column(files::Column::Id)
            .filter(unused())
            .limit(at_most)
            .into_tuple()
            .all(self.reader())
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let swept = files::Entity::delete_many()
            .filter(files::Column::Id.is_in(ids))
            .filter(unused())
            .exec(self.writer())
            .await?;
        Ok(swept.rows_affected)
    }

    /// Condemns a few blobs that no file and no code lies in, that are no assistant's face, and that nobody has claimed since, and takes over those that somebody
    /// condemned as long ago and never removed. They are the caller's alone to remove, and then to
    /// [forget](Self::forget_blob).
    pub async fn condemn_blobs(
        &self,
        untouched_since: Timestamp,
        now: Timestamp,
        at_most: u64,
    ) -> Result<Vec<String>, StorageError> {
        // Any id will do, as long as it is nobody else's.
        let own = FileId::generate(now).as_uuid();
        let limit = untouched_since.as_millis();
        let condemnable = || {
            let holds = |column: files::Column| {
                let held = Query::select()
                    .column(files::Column::Id)
                    .from(files::Entity)
                    .and_where(Expr::col((files::Entity, column)).equals((blobs::Entity, blobs::Column::Digest)))
                    .take();
                Expr::exists(held)
            };
            let face = || {
                let picture = Expr::col((assistants::Entity, assistants::Column::Picture));
                Query::select()
                    .column(assistants::Column::Id)
                    .from(assistants::Entity)
                    .and_where(picture.equals((blobs::Entity, blobs::Column::Digest)))
                    .take()
            };
            let code = |query: SelectStatement| Expr::exists(query).not();
            let unused = Condition::all()
                .add(blobs::Column::CondemnedAt.is_null())
                .add(blobs::Column::TouchedAt.lt(limit))
                .add(holds(files::Column::Digest).not())
                .add(holds(files::Column::SmallDigest).not())
                .add(Expr::exists(face()).not())
                .add(code(lies_in(functions::Entity, functions::Column::Code)))
                .add(code(lies_in(function_versions::Entity, function_versions::Column::Code)))
                .add(code(lies_in(function_builds::Entity, function_builds::Column::Blob)));
            Condition::any().add(blobs::Column::CondemnedAt.lt(limit)).add(unused)
        };
        let digests: Vec<String> = blobs::Entity::find()
            .select_only()
            .column(blobs::Column::Digest)
            .filter(condemnable())
            .order_by_asc(blobs::Column::TouchedAt)
            .limit(at_most)
            .into_tuple()
            .all(self.reader())
            .await?;
        if digests.is_empty() {
            return Ok(digests);
        }
        blobs::Entity::update_many()
            .col_expr(blobs::Column::CondemnedAt, Expr::value(Some(now.as_millis())))
            .col_expr(blobs::Column::CondemnedBy, Expr::value(Some(own)))
            .filter(blobs::Column::Digest.is_in(digests))
            .filter(condemnable())
            .exec(self.writer())
            .await?;
        let condemned = blobs::Entity::find()
            .select_only()
            .column(blobs::Column::Digest)
            .filter(blobs::Column::CondemnedBy.eq(own))
            .into_tuple()
            .all(self.writer())
            .await?;
        Ok(condemned)
    }

    /// The condemned blob is gone from its store.
    pub async fn forget_blob(&self, digest: &str) -> Result<(), StorageError> {
        blobs::Entity::delete_many()
            .filter(blobs::Column::Digest.eq(digest))
            .filter(blobs::Column::CondemnedAt.is_not_null())
            .exec(self.writer())
            .await?;
        Ok(())
    }
}

/// The rows of a table whose blob is the one that is asked about.
fn lies_in<E: EntityTrait, C: ColumnTrait>(table: E, column: C) -> SelectStatement {
    let digest = Expr::col((table, column)).equals((blobs::Entity, blobs::Column::Digest));
    Query::select().expr(Expr::val(1)).from(table).and_where(digest).take()
}

/// Notes which files a new message shows. One that is gone, or is somebody else's, is not found.
pub(super) async fn attach(
    transaction: &DatabaseTransaction,
    principal: &Principal,
    message: MessageId,
    parts: &[Part],
    now: Timestamp,
) -> Result<(), StorageError> {
    let ids: HashSet<FileId> = parts.iter().filter_map(Part::file_id).collect();
    for id in ids {
        let used = files::Entity::update_many()
            .col_expr(files::Column::UsedAt, Expr::value(now.as_millis()))
            .filter(files::Column::Id.eq(id.as_uuid()))
            .filter(access::rows(principal.files(), files::Column::OwnerId))
            .exec(transaction)
            .await?;
        if used.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        insert(transaction, message_files::Model { message_id: message.into(), file_id: id.into() }).await?;
    }
    Ok(())
}

async fn check_room<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    limits: FileLimits,
    more: u64,
    now: Timestamp,
) -> Result<(), StorageError> {
    let owner = access::person(principal)?;
    let own = || files::Entity::find().filter(files::Column::OwnerId.eq(owner.as_uuid()));
    let kept: Option<i64> = own()
        .select_only()
        // PostgreSQL adds up to a type of its own.
        .column_as(Expr::cust("CAST(SUM(bytes) AS BIGINT)"), "kept")
        .into_tuple::<Option<i64>>()
        .one(connection)
        .await?
        .flatten();
    let kept = u64::try_from(kept.unwrap_or(0)).unwrap_or(0);
    if kept.saturating_add(more) >= limits.bytes_per_user {
        return Err(StorageError::Refused("your pictures take all the room that you have"));
    }
    let since = now.minus(limits.within).as_millis();
    if own().filter(files::Column::CreatedAt.gte(since)).count(connection).await? >= limits.uploads {
        return Err(StorageError::Refused("too many files were sent in a short time"));
    }
    Ok(())
}

/// False when it is condemned, or not claimed.
pub(super) async fn touch_blob(
    transaction: &DatabaseTransaction,
    digest: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let touched = blobs::Entity::update_many()
        .col_expr(blobs::Column::TouchedAt, Expr::value(now.as_millis()))
        .filter(blobs::Column::Digest.eq(digest))
        .filter(blobs::Column::CondemnedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(touched.rows_affected == 1)
}

/// The files that `principal` may see.
fn visible(principal: &Principal) -> sea_orm::Select<files::Entity> {
    files::Entity::find().filter(access::rows(principal.files(), files::Column::OwnerId))
}

pub(super) fn stored(row: files::Model) -> Result<StoredFile, StorageError> {
    let id = row.id;
    let side = |column, value: i64| u32::try_from(value).map_err(|_| StorageError::inconsistent("files", column, id));
    Ok(StoredFile {
        file: File {
            id: id.into(),
            name: row.name,
            media_type: row.media_type,
            bytes: u64::try_from(row.bytes).map_err(|_| StorageError::inconsistent("files", "bytes", id))?,
            width: side("width", row.width)?,
            height: side("height", row.height)?,
            created_at: Timestamp::from_millis(row.created_at),
        },
        digest: row.digest,
        small_digest: row.small_digest,
    })
}

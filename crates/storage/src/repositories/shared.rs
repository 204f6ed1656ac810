//! What a link opens, for whoever came by it: the picture that was taken for it, and the files in that.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::conversation::MessageRole;
use stoa_model::share::{Audience, Shared, SharedMessage};
use stoa_model::{FileId, Principal, ShareId, Sight, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, files, shared_files, shared_messages, shares, users};
use crate::{Database, FileLimits, NewFile, StorageError, StoredFile};

use super::files::stored;
use super::from_json;

impl Database {
    /// The link that `token_hash` opens at this moment, and for whom. For the identity door alone.
    pub async fn share_by_token(
        &self,
        token_hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<(ShareId, Audience)>, StorageError> {
        let found =
            shares::Entity::find().filter(shares::Column::TokenHash.eq(token_hash.to_vec())).one(self.reader()).await?;
        let Some(row) = found.filter(|row| row.expires_at.is_none_or(|at| now.as_millis() < at)) else {
            return Ok(None);
        };
        let audience =
            Audience::parse(&row.audience).ok_or_else(|| StorageError::inconsistent("shares", "audience", row.id))?;
        if audience == Audience::Everyone && !super::settings::public_links(self.reader()).await? {
            return Ok(None);
        }
        // The trash holds no open doors, nor does an account that is switched off.
        let there = conversations::Entity::find_by_id(row.conversation_id)
            .filter(conversations::Column::DeletedAt.is_null())
            .select_only()
            .column(conversations::Column::Id)
            .into_tuple::<Uuid>()
            .one(self.reader())
            .await?;
        let owner = users::Entity::find_by_id(row.owner_id)
            .filter(users::Column::DisabledAt.is_null())
            .select_only()
            .column(users::Column::Id)
            .into_tuple::<Uuid>()
            .one(self.reader())
            .await?;
        Ok(there.and(owner).map(|_| (row.id.into(), audience)))
    }

    /// What stands above the messages.
    pub async fn shared(&self, principal: &Principal) -> Result<Shared, StorageError> {
        let row = shares::Entity::find_by_id(seen(principal)?).one(self.reader()).await?;
        let row = row.ok_or(StorageError::NotFound)?;
        Ok(Shared {
            owner: super::users::name_of(self.reader(), row.owner_id.into()).await?,
            title: row.title,
            messages: u64::try_from(row.messages).unwrap_or(0),
            expires_at: row.expires_at.map(Timestamp::from_millis),
            taken_at: Timestamp::from_millis(row.taken_at),
        })
    }

    /// Messages from the place `from` on.
    pub async fn shared_messages(
        &self,
        principal: &Principal,
        from: u32,
        limit: u64,
    ) -> Result<Vec<SharedMessage>, StorageError> {
        let rows = shared_messages::Entity::find()
            .filter(shared_messages::Column::ShareId.eq(seen(principal)?))
            .filter(shared_messages::Column::Place.gte(i64::from(from)))
            .order_by_asc(shared_messages::Column::Place)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(message).collect()
    }

    /// A file that the link shows.
    pub async fn shared_file(&self, principal: &Principal, id: FileId) -> Result<StoredFile, StorageError> {
        let share = seen(principal)?;
        let shown = sea_orm::sea_query::Query::select()
            .column(shared_files::Column::FileId)
            .from(shared_files::Entity)
            .and_where(Expr::col(shared_files::Column::ShareId).eq(share))
            .take();
        let row = files::Entity::find_by_id(id.as_uuid())
            .filter(files::Column::Id.in_subquery(shown))
            .one(self.reader())
            .await?;
        stored(row.ok_or(StorageError::NotFound)?)
    }

    /// Makes a file that a link shows the principal's own too. Its bytes lie where they lie; they count as any others.
    pub async fn copy_shared_file(
        &self,
        visitor: &Principal,
        principal: &Principal,
        id: FileId,
        limits: FileLimits,
        now: Timestamp,
    ) -> Result<FileId, StorageError> {
        let StoredFile { file, digest, small_digest } = self.shared_file(visitor, id).await?;
        let new = NewFile {
            digest,
            small_digest,
            media_type: file.media_type,
            name: file.name,
            bytes: file.bytes,
            width: file.width,
            height: file.height,
        };
        let copy = self.import_file(principal, FileId::generate(now), new, limits, now).await?;
        Ok(copy.id)
    }
}

/// The link whose picture the principal may see.
fn seen(principal: &Principal) -> Result<Uuid, StorageError> {
    match principal.sight() {
        Sight::Of(share) => Ok(share.into()),
        Sight::None => Err(StorageError::NotFound),
    }
}

fn message(row: shared_messages::Model) -> Result<SharedMessage, StorageError> {
    let id = row.share_id;
    Ok(SharedMessage {
        place: u32::try_from(row.place).map_err(|_| StorageError::inconsistent("shared_messages", "place", id))?,
        role: MessageRole::parse(&row.role).ok_or_else(|| StorageError::inconsistent("shared_messages", "role", id))?,
        parts: from_json("shared_messages", "parts", id, &row.parts)?,
        model: row.model,
        created_at: Timestamp::from_millis(row.created_at),
    })
}

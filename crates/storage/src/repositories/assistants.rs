//! Assistants: the list in its owner's order, and what can be changed about one.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use stoa_model::assistant::{Assistant, AssistantProfile};
use stoa_model::{AssistantId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{assistant_places, assistant_shares, assistants, conversations};
use crate::{Database, StorageError, access};

use super::files::touch_blob;
use super::{from_json, insert, reordered, to_json};

/// How much of a digest tells one picture from another.
const VERSION: usize = 16;
/// Assistants of one person.
pub const MAX_ASSISTANTS: u64 = 1_000;

/// An assistant that is to be made.
#[derive(Clone, Debug)]
pub struct NewAssistant {
    /// Checked already.
    pub profile: AssistantProfile,
    /// The blob that is its face, claimed and put.
    pub picture: Option<String>,
}

impl From<AssistantProfile> for NewAssistant {
    fn from(profile: AssistantProfile) -> Self {
        Self { profile, picture: None }
    }
}

#[derive(Clone, Debug, Default)]
pub struct AssistantChange {
    pub profile: Option<AssistantProfile>,
    pub pinned: Option<bool>,
}

impl Database {
    /// Makes some, of which the first comes first.
    pub async fn create_assistants(
        &self,
        principal: &Principal,
        new: Vec<NewAssistant>,
        now: Timestamp,
    ) -> Result<Vec<Assistant>, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let of_owner = || assistants::Entity::find().filter(assistants::Column::OwnerId.eq(owner.as_uuid()));
        let held = of_owner().filter(assistants::Column::DeletedAt.is_null()).count(&transaction).await?;
        if held.saturating_add(new.len() as u64) > MAX_ASSISTANTS {
            return Err(StorageError::Refused("there are too many assistants already"));
        }
        let first = of_owner()
            .select_only()
            .column_as(assistants::Column::Place.min(), "first")
            .into_tuple::<Option<i64>>()
            .one(&transaction)
            .await?
            .flatten()
            .unwrap_or(0);
        let mut made = Vec::with_capacity(new.len());
        for (place, new) in (first - i64::try_from(new.len()).unwrap_or(i64::MAX)..).zip(new) {
            hold(&transaction, new.picture.as_deref(), now).await?;
            let row = row(owner, new, place, now)?;
            insert(&transaction, row.clone()).await?;
            made.push(row);
        }
        let made = complete(&transaction, principal, &made).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// All of the caller's, pinned ones first, then in the order that their owner gave them.
    pub async fn assistants(&self, principal: &Principal) -> Result<Vec<Assistant>, StorageError> {
        let rows = visible(principal)
            .order_by_desc(assistants::Column::Pinned)
            .order_by_asc(assistants::Column::Place)
            .order_by_asc(assistants::Column::Id)
            .limit(MAX_ASSISTANTS)
            .all(self.reader())
            .await?;
        complete(self.reader(), principal, &rows).await
    }

    /// One of the caller's own.
    pub async fn assistant(&self, principal: &Principal, id: AssistantId) -> Result<Assistant, StorageError> {
        let row = find(self.reader(), principal, id).await?;
        whole(self.reader(), principal, row).await
    }

    /// What a conversation with an assistant that the caller may use begins with.
    pub(super) async fn beginning(
        &self,
        principal: &Principal,
        id: AssistantId,
    ) -> Result<AssistantProfile, StorageError> {
        let row = find_usable(self.reader(), principal, id).await?;
        let profile = profile(&row)?;
        let model = if is_own(principal, &row) { profile.model.clone() } else { profile.model_for_others() };
        Ok(AssistantProfile { model, ..profile })
    }

    pub async fn change_assistant(
        &self,
        principal: &Principal,
        id: AssistantId,
        change: AssistantChange,
        now: Timestamp,
    ) -> Result<Assistant, StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        let mut update = assistants::Entity::update_many()
            .filter(assistants::Column::Id.eq(id.as_uuid()))
            .col_expr(assistants::Column::DeletedAt, Expr::value(None::<i64>));
        if let Some(profile) = change.profile {
            update = update
                .col_expr(assistants::Column::Profile, Expr::value(to_json("assistants", "profile", &profile)?))
                .col_expr(assistants::Column::UpdatedAt, Expr::value(now.as_millis()));
        }
        if let Some(pinned) = change.pinned {
            update = update.col_expr(assistants::Column::Pinned, Expr::value(pinned));
        }
        update.exec(&transaction).await?;
        let changed = find(&transaction, principal, id).await?;
        let changed = whole(&transaction, principal, changed).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Gives an assistant of the caller's a face, or takes it away. The blob is claimed and put.
    pub async fn picture_assistant(
        &self,
        principal: &Principal,
        id: AssistantId,
        picture: Option<String>,
        now: Timestamp,
    ) -> Result<Assistant, StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        hold(&transaction, picture.as_deref(), now).await?;
        assistants::Entity::update_many()
            .filter(assistants::Column::Id.eq(id.as_uuid()))
            .col_expr(assistants::Column::Picture, Expr::value(picture))
            .exec(&transaction)
            .await?;
        let changed = find(&transaction, principal, id).await?;
        let changed = whole(&transaction, principal, changed).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// The blob that is the face of an assistant that the caller may use.
    pub async fn assistant_picture(&self, principal: &Principal, id: AssistantId) -> Result<String, StorageError> {
        find_usable(self.reader(), principal, id).await?.picture.ok_or(StorageError::NotFound)
    }

    /// Puts those that are named in this order, before those that are not. Foreign ones are not found.
    pub async fn order_assistants(&self, principal: &Principal, ids: &[AssistantId]) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let all: Vec<Uuid> = visible(principal)
            .select_only()
            .column(assistants::Column::Id)
            .order_by_asc(assistants::Column::Place)
            .order_by_asc(assistants::Column::Id)
            .into_tuple()
            .all(&transaction)
            .await?;
        for (place, id) in (0_i64..).zip(reordered(all, ids.iter().map(|id| id.as_uuid()))?) {
            assistants::Entity::update_many()
                .filter(assistants::Column::Id.eq(id))
                .col_expr(assistants::Column::Place, Expr::value(place))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Hides an assistant; it can be restored until it is purged. Its conversations stay, and go on without it.
    pub async fn delete_assistant(
        &self,
        principal: &Principal,
        id: AssistantId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        find(self.writer(), principal, id).await?;
        assistants::Entity::update_many()
            .filter(assistants::Column::Id.eq(id.as_uuid()))
            .col_expr(assistants::Column::DeletedAt, Expr::value(Some(now.as_millis())))
            .exec(self.writer())
            .await?;
        Ok(())
    }

    pub async fn restore_assistant(&self, principal: &Principal, id: AssistantId) -> Result<Assistant, StorageError> {
        assistants::Entity::find_by_id(id.as_uuid())
            .filter(access::rows(principal.assistants(), assistants::Column::OwnerId))
            .one(self.writer())
            .await?
            .ok_or(StorageError::NotFound)?;
        assistants::Entity::update_many()
            .filter(assistants::Column::Id.eq(id.as_uuid()))
            .col_expr(assistants::Column::DeletedAt, Expr::value(None::<i64>))
            .exec(self.writer())
            .await?;
        self.assistant(principal, id).await
    }

    /// Removes for good those that were deleted before `deleted_before`.
    pub async fn purge_assistants(&self, deleted_before: Timestamp) -> Result<u64, StorageError> {
        let gone = || assistants::Column::DeletedAt.lt(deleted_before.as_millis());
        let transaction = self.begin().await?;
        // The conversations of its owner forget it; those of others go on knowing that there was one.
        let of_owner = Query::select()
            .expr(Expr::val(1))
            .from(assistants::Entity)
            .and_where(gone())
            .and_where(
                Expr::col((assistants::Entity, assistants::Column::Id))
                    .equals((conversations::Entity, conversations::Column::AssistantId)),
            )
            .and_where(
                Expr::col((assistants::Entity, assistants::Column::OwnerId))
                    .equals((conversations::Entity, conversations::Column::OwnerId)),
            )
            .take();
        conversations::Entity::update_many()
            .filter(conversations::Column::AssistantId.is_not_null())
            .filter(Expr::exists(of_owner))
            .col_expr(conversations::Column::AssistantId, Expr::value(None::<Uuid>))
            .exec(&transaction)
            .await?;
        let purged = assistants::Entity::delete_many().filter(gone()).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(purged.rows_affected)
    }
}

/// What the assistant of a conversation brings along. Nothing when it is gone, or no longer the principal's to use.
pub(super) async fn profile_of<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantId,
) -> Result<Option<AssistantProfile>, StorageError> {
    match find_usable(connection, principal, id).await {
        Ok(row) => Ok(Some(profile(&row)?)),
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose template and history hold for a turn, and what the model is told to be. Who is `asked` for this turn alone brings a role
/// along; the conversation's own holds for its own assistant.
pub(super) async fn speaker<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    asked: Option<AssistantId>,
    conversation: &conversations::Model,
) -> Result<(Option<AssistantProfile>, String), StorageError> {
    // One that was deleted says nothing more.
    if let Some(id) = asked
        && let Some(profile) = profile_of(connection, principal, id).await?
    {
        let role = profile.role.clone();
        return Ok((Some(profile), role));
    }
    let profile = match conversation.assistant_id {
        Some(id) => profile_of(connection, principal, id.into()).await?,
        None => None,
    };
    let role = match &profile {
        Some(profile) if conversation.role.is_empty() => profile.role.clone(),
        _ => conversation.role.clone(),
    };
    Ok((profile, role))
}

/// Whether a turn may begin with the assistant of its conversation, and without one that its owner, who asks, has deleted.
/// One of somebody else's must be shared with the principal still, and what it is built on is not handed to a browser.
pub(super) async fn check_turn<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantId,
    by_browser: bool,
) -> Result<(), StorageError> {
    match find_usable(connection, principal, id).await {
        Ok(row) if by_browser && !is_own(principal, &row) => {
            Err(StorageError::Refused("a shared assistant is not handed to a browser"))
        }
        Ok(_) => Ok(()),
        Err(StorageError::NotFound) => {
            let own = assistants::Entity::find_by_id(id.as_uuid())
                .filter(access::rows(principal.assistants(), assistants::Column::OwnerId));
            match own.count(connection).await? {
                0 => Err(StorageError::Refused("the assistant is no longer shared")),
                _ => Ok(()),
            }
        }
        Err(error) => Err(error),
    }
}

fn is_own(principal: &Principal, row: &assistants::Model) -> bool {
    principal.user_id().is_some_and(|user| user.as_uuid() == row.owner_id)
}

/// An assistant that `principal` may talk to, whoever's it is.
pub(super) async fn find_usable<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantId,
) -> Result<assistants::Model, StorageError> {
    assistants::Entity::find_by_id(id.as_uuid())
        .filter(access::usable_assistants(principal.usable_assistants()))
        .filter(assistants::Column::DeletedAt.is_null())
        .one(connection)
        .await?
        .ok_or(StorageError::NotFound)
}

/// The assistants that `principal` may see and that are not deleted.
pub(super) fn visible(principal: &Principal) -> sea_orm::Select<assistants::Entity> {
    assistants::Entity::find()
        .filter(access::rows(principal.assistants(), assistants::Column::OwnerId))
        .filter(assistants::Column::DeletedAt.is_null())
}

pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantId,
) -> Result<assistants::Model, StorageError> {
    visible(principal)
        .filter(assistants::Column::Id.eq(id.as_uuid()))
        .one(connection)
        .await?
        .ok_or(StorageError::NotFound)
}

/// Keeps the blob of a face from going.
pub(super) async fn hold(
    transaction: &DatabaseTransaction,
    picture: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    match picture {
        Some(digest) if !touch_blob(transaction, digest, now).await? => {
            Err(StorageError::Refused("the upload took too long"))
        }
        _ => Ok(()),
    }
}

fn row(owner: UserId, new: NewAssistant, place: i64, now: Timestamp) -> Result<assistants::Model, StorageError> {
    Ok(assistants::Model {
        id: AssistantId::generate(now).into(),
        owner_id: owner.into(),
        profile: to_json("assistants", "profile", &new.profile)?,
        picture: new.picture,
        pinned: false,
        place,
        created_at: now.as_millis(),
        updated_at: now.as_millis(),
        deleted_at: None,
    })
}

/// The rows with what is kept beside them: the folder of the principal's that they lie in, and whether anybody else may use
/// them.
pub(super) async fn complete<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    rows: &[assistants::Model],
) -> Result<Vec<Assistant>, StorageError> {
    let ids = || rows.iter().map(|row| row.id);
    let folders: HashMap<Uuid, Uuid> = match principal.user_id() {
        Some(user) => assistant_places::Entity::find()
            .select_only()
            .columns([assistant_places::Column::AssistantId, assistant_places::Column::FolderId])
            .filter(assistant_places::Column::UserId.eq(user.as_uuid()))
            .filter(assistant_places::Column::AssistantId.is_in(ids()))
            .into_tuple::<(Uuid, Uuid)>()
            .all(connection)
            .await?
            .into_iter()
            .collect(),
        None => HashMap::new(),
    };
    let shared: HashSet<Uuid> = assistant_shares::Entity::find()
        .select_only()
        .distinct()
        .column(assistant_shares::Column::AssistantId)
        .filter(assistant_shares::Column::AssistantId.is_in(ids()))
        .into_tuple::<Uuid>()
        .all(connection)
        .await?
        .into_iter()
        .collect();
    let assistant = |row: &assistants::Model| {
        Ok(Assistant {
            profile: profile(row)?,
            id: row.id.into(),
            pinned: row.pinned,
            folder_id: folders.get(&row.id).copied().map(Into::into),
            picture: row.picture.as_ref().map(|digest| digest.chars().take(VERSION).collect()),
            shared: shared.contains(&row.id),
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
        })
    };
    rows.iter().map(assistant).collect()
}

async fn whole<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    row: assistants::Model,
) -> Result<Assistant, StorageError> {
    complete(connection, principal, &[row]).await?.pop().ok_or(StorageError::NotFound)
}

fn profile(row: &assistants::Model) -> Result<AssistantProfile, StorageError> {
    from_json("assistants", "profile", row.id, &row.profile)
}

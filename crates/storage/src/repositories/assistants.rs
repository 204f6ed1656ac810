//! Assistants: the list in its owner's order, and what can be changed about one.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::assistant::{Assistant, AssistantProfile};
use stoa_model::{AssistantId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{assistants, conversations};
use crate::{Database, StorageError, access};

use super::{from_json, insert, to_json};

/// Assistants of one person.
pub const MAX_ASSISTANTS: u64 = 1_000;

#[derive(Clone, Debug, Default)]
pub struct AssistantChange {
    pub profile: Option<AssistantProfile>,
    pub pinned: Option<bool>,
}

impl Database {
    /// Makes some, of which the first comes first. `profiles` are checked already.
    pub async fn create_assistants(
        &self,
        principal: &Principal,
        profiles: Vec<AssistantProfile>,
        now: Timestamp,
    ) -> Result<Vec<Assistant>, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let of_owner = || assistants::Entity::find().filter(assistants::Column::OwnerId.eq(owner.as_uuid()));
        let held = of_owner().filter(assistants::Column::DeletedAt.is_null()).count(&transaction).await?;
        if held.saturating_add(profiles.len() as u64) > MAX_ASSISTANTS {
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
        let mut made = Vec::with_capacity(profiles.len());
        for (place, profile) in (first - i64::try_from(profiles.len()).unwrap_or(i64::MAX)..).zip(profiles) {
            let row = row(owner, &profile, place, now)?;
            insert(&transaction, row.clone()).await?;
            made.push(assistant(&row)?);
        }
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
        rows.iter().map(assistant).collect()
    }

    pub async fn assistant(&self, principal: &Principal, id: AssistantId) -> Result<Assistant, StorageError> {
        assistant(&find(self.reader(), principal, id).await?)
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
        let changed = assistant(&find(&transaction, principal, id).await?)?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Puts those that are named in this order, before those that are not. Foreign ones are not found.
    pub async fn order_assistants(&self, principal: &Principal, ids: &[AssistantId]) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let mut all: Vec<Uuid> = visible(principal)
            .select_only()
            .column(assistants::Column::Id)
            .order_by_asc(assistants::Column::Place)
            .order_by_asc(assistants::Column::Id)
            .into_tuple()
            .all(&transaction)
            .await?;
        let mut order = Vec::with_capacity(all.len());
        for id in ids {
            let at = all.iter().position(|other| *other == id.as_uuid()).ok_or(StorageError::NotFound)?;
            order.push(all.remove(at));
        }
        order.append(&mut all);
        for (place, id) in (0_i64..).zip(order) {
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
        assistant(&find(self.writer(), principal, id).await?)
    }

    /// Removes for good those that were deleted before `deleted_before`.
    pub async fn purge_assistants(&self, deleted_before: Timestamp) -> Result<u64, StorageError> {
        let purged = assistants::Entity::delete_many()
            .filter(assistants::Column::DeletedAt.lt(deleted_before.as_millis()))
            .exec(self.writer())
            .await?;
        Ok(purged.rows_affected)
    }
}

/// What an assistant says of itself, unless it was deleted or is not the principal's.
pub(super) async fn profile_of<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantId,
) -> Result<Option<AssistantProfile>, StorageError> {
    match find(connection, principal, id).await {
        Ok(row) => Ok(Some(assistant(&row)?.profile)),
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

/// The assistants that `principal` may see and that are not deleted.
fn visible(principal: &Principal) -> sea_orm::Select<assistants::Entity> {
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

fn row(
    owner: UserId,
    profile: &AssistantProfile,
    place: i64,
    now: Timestamp,
) -> Result<assistants::Model, StorageError> {
    Ok(assistants::Model {
        id: AssistantId::generate(now).into(),
        owner_id: owner.into(),
        profile: to_json("assistants", "profile", profile)?,
        pinned: false,
        place,
        created_at: now.as_millis(),
        updated_at: now.as_millis(),
        deleted_at: None,
    })
}

fn assistant(row: &assistants::Model) -> Result<Assistant, StorageError> {
    Ok(Assistant {
        profile: from_json("assistants", "profile", row.id, &row.profile)?,
        id: row.id.into(),
        pinned: row.pinned,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

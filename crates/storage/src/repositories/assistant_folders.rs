//! Folders of assistants: in their owner's order, and what lies in them.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use stoa_model::assistant::{AssistantFolder, AssistantFolderChange, MAX_ASSISTANT_FOLDERS};
use stoa_model::{AssistantFolderId, AssistantId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{assistant_folders, assistant_places};
use crate::{Database, StorageError, access};

use super::assistants::find_usable;
use super::{insert, reordered};

impl Database {
    /// All of the caller's, in their order.
    pub async fn assistant_folders(&self, principal: &Principal) -> Result<Vec<AssistantFolder>, StorageError> {
        let rows = in_order(principal).all(self.reader()).await?;
        Ok(rows.into_iter().map(folder).collect())
    }

    /// Makes one, after those that are there. `name` is checked already.
    pub async fn create_assistant_folder(
        &self,
        principal: &Principal,
        name: String,
        now: Timestamp,
    ) -> Result<AssistantFolder, StorageError> {
        let transaction = self.begin().await?;
        let row = add(&transaction, principal, AssistantFolderId::generate(now), name, false).await?;
        transaction.commit().await?;
        Ok(folder(row))
    }

    pub async fn change_assistant_folder(
        &self,
        principal: &Principal,
        id: AssistantFolderId,
        change: AssistantFolderChange,
    ) -> Result<AssistantFolder, StorageError> {
        let transaction = self.begin().await?;
        let mut row = find(&transaction, principal, id).await?;
        row.name = change.name.unwrap_or(row.name);
        row.collapsed = change.collapsed.unwrap_or(row.collapsed);
        assistant_folders::Entity::update_many()
            .filter(assistant_folders::Column::Id.eq(row.id))
            .col_expr(assistant_folders::Column::Name, Expr::value(row.name.clone()))
            .col_expr(assistant_folders::Column::Collapsed, Expr::value(row.collapsed))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(folder(row))
    }

    /// Puts the caller's folders in this order; those that are not named come after. Foreign ones are not found.
    pub async fn order_assistant_folders(
        &self,
        principal: &Principal,
        ids: &[AssistantFolderId],
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let all: Vec<Uuid> = in_order(principal).all(&transaction).await?.into_iter().map(|row| row.id).collect();
        for (place, id) in (0_i64..).zip(reordered(all, ids.iter().map(|id| id.as_uuid()))?) {
            assistant_folders::Entity::update_many()
                .filter(assistant_folders::Column::Id.eq(id))
                .col_expr(assistant_folders::Column::Place, Expr::value(place))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Takes a folder away. What lay in it lies in none.
    pub async fn delete_assistant_folder(
        &self,
        principal: &Principal,
        id: AssistantFolderId,
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        assistant_folders::Entity::delete_by_id(id.as_uuid()).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Puts an assistant that the caller may use into a folder of the caller's, or out of the one that it lies in.
    pub async fn put_into_folder(
        &self,
        principal: &Principal,
        id: AssistantId,
        folder: Option<AssistantFolderId>,
    ) -> Result<(), StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        find_usable(&transaction, principal, id).await?;
        if let Some(folder) = folder {
            find(&transaction, principal, folder).await?;
            put(&transaction, user, id, folder).await?;
        } else {
            assistant_places::Entity::delete_by_id((user.as_uuid(), id.as_uuid())).exec(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Makes one, after those that are there.
pub(super) async fn add(
    on: &DatabaseTransaction,
    principal: &Principal,
    id: AssistantFolderId,
    name: String,
    collapsed: bool,
) -> Result<assistant_folders::Model, StorageError> {
    let owner = access::person(principal)?;
    if visible(principal).count(on).await? >= MAX_ASSISTANT_FOLDERS {
        return Err(StorageError::Refused("there are too many folders already"));
    }
    let last = visible(principal)
        .select_only()
        .column_as(assistant_folders::Column::Place.max(), "last")
        .into_tuple::<Option<i64>>()
        .one(on)
        .await?
        .flatten();
    let place = last.map_or(0, |last| last + 1);
    let row = assistant_folders::Model { id: id.into(), owner_id: owner.into(), name, collapsed, place };
    insert(on, row.clone()).await?;
    Ok(row)
}

/// Puts an assistant that the user may use into a folder of theirs. Both were looked at.
pub(super) async fn put(
    on: &DatabaseTransaction,
    user: UserId,
    assistant: AssistantId,
    folder: AssistantFolderId,
) -> Result<(), StorageError> {
    let place = assistant_places::ActiveModel {
        user_id: Set(user.into()),
        assistant_id: Set(assistant.into()),
        folder_id: Set(folder.into()),
    };
    let known = OnConflict::columns([assistant_places::Column::UserId, assistant_places::Column::AssistantId])
        .update_column(assistant_places::Column::FolderId)
        .to_owned();
    assistant_places::Entity::insert(place).on_conflict(known).exec_without_returning(on).await?;
    Ok(())
}

pub(super) fn visible(principal: &Principal) -> sea_orm::Select<assistant_folders::Entity> {
    assistant_folders::Entity::find()
        .filter(access::rows(principal.assistant_folders(), assistant_folders::Column::OwnerId))
}

fn in_order(principal: &Principal) -> sea_orm::Select<assistant_folders::Entity> {
    visible(principal)
        .order_by_asc(assistant_folders::Column::Place)
        .order_by_asc(assistant_folders::Column::Id)
        .limit(MAX_ASSISTANT_FOLDERS)
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: AssistantFolderId,
) -> Result<assistant_folders::Model, StorageError> {
    let one = visible(principal).filter(assistant_folders::Column::Id.eq(id.as_uuid()));
    one.one(connection).await?.ok_or(StorageError::NotFound)
}

fn folder(row: assistant_folders::Model) -> AssistantFolder {
    AssistantFolder { id: row.id.into(), name: row.name, collapsed: row.collapsed }
}

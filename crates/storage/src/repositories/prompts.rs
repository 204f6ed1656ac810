//! Prompts: the list by name, and what can be changed about one.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::prompt::{Prompt, PromptProfile};
use stoa_model::{Principal, PromptId, Timestamp};
use uuid::Uuid;

use crate::entities::prompts;
use crate::{Database, StorageError, access};

use super::{from_json, insert, to_json};

/// Prompts of one person.
pub const MAX_PROMPTS: u64 = 500;

impl Database {
    pub async fn create_prompt(
        &self,
        principal: &Principal,
        profile: &PromptProfile,
        now: Timestamp,
    ) -> Result<Prompt, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let held = prompts::Entity::find().filter(prompts::Column::OwnerId.eq(owner.as_uuid()));
        if held.count(&transaction).await? >= MAX_PROMPTS {
            return Err(StorageError::Refused("there are too many prompts already"));
        }
        let row = prompts::Model {
            id: PromptId::generate(now).into(),
            owner_id: owner.into(),
            profile: to_json("prompts", "profile", profile)?,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
        };
        insert(&transaction, row.clone()).await?;
        transaction.commit().await?;
        prompt(&row)
    }

    /// All of the caller's, by their names.
    pub async fn prompts(&self, principal: &Principal) -> Result<Vec<Prompt>, StorageError> {
        let rows = visible(principal)
            .order_by_asc(prompts::Column::CreatedAt)
            .order_by_asc(prompts::Column::Id)
            .limit(MAX_PROMPTS)
            .all(self.reader())
            .await?;
        let mut all = rows.iter().map(prompt).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_cached_key(|prompt| prompt.profile.name.to_lowercase());
        Ok(all)
    }

    pub async fn prompt(&self, principal: &Principal, id: PromptId) -> Result<Prompt, StorageError> {
        prompt(&find(self.reader(), principal, id).await?)
    }

    /// The ids of the principal's prompts, the oldest first.
    pub async fn prompt_ids(&self, principal: &Principal) -> Result<Vec<PromptId>, StorageError> {
        let ids: Vec<Uuid> = visible(principal)
            .select_only()
            .column(prompts::Column::Id)
            .order_by_asc(prompts::Column::CreatedAt)
            .order_by_asc(prompts::Column::Id)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    pub async fn change_prompt(
        &self,
        principal: &Principal,
        id: PromptId,
        profile: &PromptProfile,
        now: Timestamp,
    ) -> Result<Prompt, StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        prompts::Entity::update_many()
            .filter(prompts::Column::Id.eq(id.as_uuid()))
            .col_expr(prompts::Column::Profile, Expr::value(to_json("prompts", "profile", profile)?))
            .col_expr(prompts::Column::UpdatedAt, Expr::value(now.as_millis()))
            .exec(&transaction)
            .await?;
        let changed = prompt(&find(&transaction, principal, id).await?)?;
        transaction.commit().await?;
        Ok(changed)
    }

    pub async fn delete_prompt(&self, principal: &Principal, id: PromptId) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        prompts::Entity::delete_by_id(id.as_uuid()).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn visible(principal: &Principal) -> sea_orm::Select<prompts::Entity> {
    prompts::Entity::find().filter(access::rows(principal.prompts(), prompts::Column::OwnerId))
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: PromptId,
) -> Result<prompts::Model, StorageError> {
    visible(principal).filter(prompts::Column::Id.eq(id.as_uuid())).one(connection).await?.ok_or(StorageError::NotFound)
}

fn prompt(row: &prompts::Model) -> Result<Prompt, StorageError> {
    Ok(Prompt {
        profile: from_json("prompts", "profile", row.id, &row.profile)?,
        id: row.id.into(),
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

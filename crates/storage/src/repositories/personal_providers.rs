//! Providers that their owner's browser calls. Keys are sealed on the way in and opened for their owner only.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use stoa_model::personal::PersonalProvider;
use stoa_model::provider::ProviderModel;
use stoa_model::{PersonalProviderId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::personal_providers;
use crate::{Database, Secret, StorageError, access};

use super::{from_json, insert, to_json};

/// Providers of one person.
pub const MAX_PERSONAL_PROVIDERS: u64 = 20;

#[derive(Clone, Debug)]
pub struct NewPersonalProvider {
    pub name: String,
    pub slug: String,
    pub base_url: String,
    pub api_key: Option<Secret>,
}

#[derive(Clone, Debug, Default)]
pub struct PersonalProviderChange {
    pub name: Option<String>,
    pub base_url: Option<String>,
    /// `Some(None)` takes the key away.
    pub api_key: Option<Option<Secret>>,
    /// All of them, in their order.
    pub models: Option<Vec<ProviderModel>>,
}

/// A provider with its key opened.
#[derive(Clone, Debug)]
pub struct StoredPersonalProvider {
    pub provider: PersonalProvider,
    pub api_key: Option<Secret>,
}

impl Database {
    pub async fn create_personal_provider(
        &self,
        principal: &Principal,
        new: NewPersonalProvider,
        now: Timestamp,
    ) -> Result<PersonalProvider, StorageError> {
        let owner = access::person(principal)?;
        let id = PersonalProviderId::generate(now);
        let api_key = new.api_key.map(|key| self.key().seal(&key_place(id.into()), &key)).transpose()?;
        let transaction = self.begin().await?;
        let count = personal_providers::Entity::find()
            .filter(personal_providers::Column::OwnerId.eq(owner.as_uuid()))
            .count(&transaction)
            .await?;
        if count >= MAX_PERSONAL_PROVIDERS {
            return Err(StorageError::Refused("you have as many providers of your own as one person may have"));
        }
        let row = personal_providers::Model {
            id: id.into(),
            owner_id: owner.into(),
            name: new.name,
            slug: new.slug,
            base_url: new.base_url,
            api_key,
            models: "[]".to_owned(),
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
        };
        insert(&transaction, row.clone()).await.map_err(StorageError::taken("slug"))?;
        transaction.commit().await?;
        provider(row)
    }

    /// The oldest first.
    pub async fn personal_providers(&self, principal: &Principal) -> Result<Vec<PersonalProvider>, StorageError> {
        let rows = personal_providers::Entity::find()
            .filter(owned(principal))
            .order_by_asc(personal_providers::Column::CreatedAt)
            .order_by_asc(personal_providers::Column::Id)
            .all(self.reader())
            .await?;
        rows.into_iter().map(provider).collect()
    }

    pub async fn personal_provider(
        &self,
        principal: &Principal,
        id: PersonalProviderId,
    ) -> Result<StoredPersonalProvider, StorageError> {
        let found = personal_providers::Column::Id.eq(id.as_uuid());
        self.find_personal_provider(self.reader(), principal, found).await?.ok_or(StorageError::NotFound)
    }

    pub async fn change_personal_provider(
        &self,
        principal: &Principal,
        id: PersonalProviderId,
        change: PersonalProviderChange,
        now: Timestamp,
    ) -> Result<PersonalProvider, StorageError> {
        let mut update = personal_providers::Entity::update_many()
            .col_expr(personal_providers::Column::UpdatedAt, Expr::value(now.as_millis()))
            .filter(owned(principal))
            .filter(personal_providers::Column::Id.eq(id.as_uuid()));
        if let Some(name) = change.name {
            update = update.col_expr(personal_providers::Column::Name, Expr::value(name));
        }
        if let Some(base_url) = change.base_url {
            update = update.col_expr(personal_providers::Column::BaseUrl, Expr::value(base_url));
        }
        if let Some(key) = change.api_key {
            let sealed = key.map(|key| self.key().seal(&key_place(id.into()), &key)).transpose()?;
            update = update.col_expr(personal_providers::Column::ApiKey, Expr::value(sealed));
        }
        if let Some(models) = change.models {
            let models = to_json("personal_providers", "models", &models)?;
            update = update.col_expr(personal_providers::Column::Models, Expr::value(models));
        }
        if update.exec(self.writer()).await?.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        let found = personal_providers::Column::Id.eq(id.as_uuid());
        let changed = self.find_personal_provider(self.writer(), principal, found).await?;
        Ok(changed.ok_or(StorageError::NotFound)?.provider)
    }

    pub async fn delete_personal_provider(
        &self,
        principal: &Principal,
        id: PersonalProviderId,
    ) -> Result<(), StorageError> {
        let deleted = personal_providers::Entity::delete_many()
            .filter(owned(principal))
            .filter(personal_providers::Column::Id.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        if deleted.rows_affected == 0 { Err(StorageError::NotFound) } else { Ok(()) }
    }

    /// The principal's own provider of that slug.
    pub async fn personal_provider_by_slug(
        &self,
        principal: &Principal,
        slug: &str,
    ) -> Result<Option<StoredPersonalProvider>, StorageError> {
        self.find_personal_provider(self.reader(), principal, personal_providers::Column::Slug.eq(slug)).await
    }

    pub(super) async fn find_personal_provider<C: ConnectionTrait>(
        &self,
        connection: &C,
        principal: &Principal,
        which: sea_orm::sea_query::SimpleExpr,
    ) -> Result<Option<StoredPersonalProvider>, StorageError> {
        let row = personal_providers::Entity::find().filter(owned(principal)).filter(which).one(connection).await?;
        let Some(row) = row else { return Ok(None) };
        let api_key = row.api_key.as_deref().map(|sealed| self.key().open(&key_place(row.id), sealed)).transpose()?;
        Ok(Some(StoredPersonalProvider { provider: provider(row)?, api_key }))
    }
}

fn owned(principal: &Principal) -> sea_orm::sea_query::Condition {
    access::rows(principal.personal_providers(), personal_providers::Column::OwnerId)
}

/// Where a provider's key is sealed for.
fn key_place(id: Uuid) -> String {
    format!("personal_providers.api_key/{id}")
}

fn provider(row: personal_providers::Model) -> Result<PersonalProvider, StorageError> {
    Ok(PersonalProvider {
        models: from_json("personal_providers", "models", row.id, &row.models)?,
        id: row.id.into(),
        has_api_key: row.api_key.is_some(),
        name: row.name,
        slug: row.slug,
        base_url: row.base_url,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

//! Providers and the models they offer. Keys are sealed on the way in and opened only for `dispatch`.

use std::collections::HashMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::provider::{Provider, ProviderKind, ProviderModel};
use stoa_model::{Principal, ProviderId, Timestamp};
use uuid::Uuid;

use crate::entities::{provider_models, providers};
use crate::{Database, Notice, Secret, StorageError, access};

use super::{from_json, insert, to_json};

#[derive(Clone, Debug)]
pub struct NewProvider {
    pub name: String,
    pub slug: String,
    pub kind: ProviderKind,
    pub base_url: String,
    pub api_key: Option<Secret>,
    pub enabled: bool,
}

#[derive(Clone, Debug, Default)]
pub struct ProviderChange {
    pub name: Option<String>,
    pub base_url: Option<String>,
    /// `Some(None)` takes the key away.
    pub api_key: Option<Option<Secret>>,
    pub enabled: Option<bool>,
}

/// A provider with its key opened.
#[derive(Clone, Debug)]
pub struct StoredProvider {
    pub provider: Provider,
    pub api_key: Option<Secret>,
}

impl Database {
    pub async fn create_provider(
        &self,
        principal: &Principal,
        new: NewProvider,
        now: Timestamp,
    ) -> Result<Provider, StorageError> {
        access::require(principal.providers())?;
        let id = ProviderId::generate(now);
        let api_key = new.api_key.map(|key| self.key().seal(&key_place(id.into()), &key)).transpose()?;
        let row = providers::Model {
            id: id.into(),
            name: new.name,
            slug: new.slug,
            kind: new.kind.as_str().to_owned(),
            base_url: new.base_url,
            api_key,
            enabled: new.enabled,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
        };
        insert(self.writer(), row.clone()).await.map_err(StorageError::taken("slug"))?;
        self.notices().publish(Notice::Settings).await;
        provider(&row, Vec::new())
    }

    pub async fn providers(&self, principal: &Principal) -> Result<Vec<Provider>, StorageError> {
        access::require(principal.providers())?;
        Ok(self.stored_providers().await?.into_iter().map(|stored| stored.provider).collect())
    }

    pub async fn provider(&self, principal: &Principal, id: ProviderId) -> Result<StoredProvider, StorageError> {
        access::require(principal.providers())?;
        self.stored_provider(self.reader(), id).await
    }

    /// Every provider with its key, for the snapshot that `dispatch` works from.
    pub async fn providers_with_keys(&self, principal: &Principal) -> Result<Vec<StoredProvider>, StorageError> {
        match principal {
            Principal::System(_) => self.stored_providers().await,
            Principal::User { .. } | Principal::AtTheMachine | Principal::Shared { .. } => Err(StorageError::Forbidden),
        }
    }

    pub async fn change_provider(
        &self,
        principal: &Principal,
        id: ProviderId,
        change: ProviderChange,
        now: Timestamp,
    ) -> Result<Provider, StorageError> {
        access::require(principal.providers())?;
        let mut update = providers::Entity::update_many()
            .col_expr(providers::Column::UpdatedAt, Expr::value(now.as_millis()))
            .filter(providers::Column::Id.eq(id.as_uuid()));
        if let Some(name) = change.name {
            update = update.col_expr(providers::Column::Name, Expr::value(name));
        }
        if let Some(base_url) = change.base_url {
            update = update.col_expr(providers::Column::BaseUrl, Expr::value(base_url));
        }
        if let Some(key) = change.api_key {
            let sealed = key.map(|key| self.key().seal(&key_place(id.into()), &key)).transpose()?;
            update = update.col_expr(providers::Column::ApiKey, Expr::value(sealed));
        }
        if let Some(enabled) = change.enabled {
            update = update.col_expr(providers::Column::Enabled, Expr::value(enabled));
        }
        if update.exec(self.writer()).await?.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        self.notices().publish(Notice::Settings).await;
        Ok(self.stored_provider(self.writer(), id).await?.provider)
    }

    pub async fn delete_provider(&self, principal: &Principal, id: ProviderId) -> Result<(), StorageError> {
        access::require(principal.providers())?;
        if providers::Entity::delete_by_id(id.as_uuid()).exec(self.writer()).await?.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        self.notices().publish(Notice::Settings).await;
        Ok(())
    }

    /// Replaces the models of a provider, in the order given.
    pub async fn put_provider_models(
        &self,
        principal: &Principal,
        id: ProviderId,
        models: Vec<ProviderModel>,
        now: Timestamp,
    ) -> Result<Provider, StorageError> {
        access::require(principal.providers())?;
        let transaction = self.begin().await?;
        let touched = providers::Entity::update_many()
            .col_expr(providers::Column::UpdatedAt, Expr::value(now.as_millis()))
            .filter(providers::Column::Id.eq(id.as_uuid()))
            .exec(&transaction)
            .await?;
        if touched.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        provider_models::Entity::delete_many()
            .filter(provider_models::Column::ProviderId.eq(id.as_uuid()))
            .exec(&transaction)
            .await?;
        let rows = models
            .into_iter()
            .zip(0_i64..)
            .map(|(model, position)| model_row(id, model, position))
            .collect::<Result<Vec<_>, _>>()?;
        // SQLite takes 32,766 values a statement.
        for rows in rows.chunks(1_000) {
            provider_models::Entity::insert_many(rows.to_vec())
                .exec_without_returning(&transaction)
                .await
                .map_err(StorageError::taken("model name"))?;
        }
        transaction.commit().await?;
        self.notices().publish(Notice::Settings).await;
        Ok(self.stored_provider(self.writer(), id).await?.provider)
    }

    async fn stored_provider<C: ConnectionTrait>(
        &self,
        connection: &C,
        id: ProviderId,
    ) -> Result<StoredProvider, StorageError> {
        let row = providers::Entity::find_by_id(id.as_uuid()).one(connection).await?.ok_or(StorageError::NotFound)?;
        let models = provider_models::Entity::find()
            .filter(provider_models::Column::ProviderId.eq(id.as_uuid()))
            .order_by_asc(provider_models::Column::Position)
            .all(connection)
            .await?;
        self.opened(&row, models)
    }

    async fn stored_providers(&self) -> Result<Vec<StoredProvider>, StorageError> {
        let rows = providers::Entity::find().order_by_asc(providers::Column::CreatedAt).all(self.reader()).await?;
        let models =
            provider_models::Entity::find().order_by_asc(provider_models::Column::Position).all(self.reader()).await?;
        let mut by_provider = HashMap::<Uuid, Vec<_>>::new();
        for model in models {
            by_provider.entry(model.provider_id).or_default().push(model);
        }
        rows.into_iter()
            .map(|row| {
                let models = by_provider.remove(&row.id).unwrap_or_default();
                self.opened(&row, models)
            })
            .collect()
    }

    fn opened(
        &self,
        row: &providers::Model,
        models: Vec<provider_models::Model>,
    ) -> Result<StoredProvider, StorageError> {
        let api_key = row.api_key.as_deref().map(|sealed| self.key().open(&key_place(row.id), sealed)).transpose()?;
        Ok(StoredProvider { provider: provider(row, models)?, api_key })
    }
}

/// Where a provider's key is sealed for.
fn key_place(id: Uuid) -> String {
    format!("providers.api_key/{id}")
}

fn model_row(
    provider: ProviderId,
    model: ProviderModel,
    position: i64,
) -> Result<provider_models::ActiveModel, StorageError> {
    Ok(provider_models::ActiveModel {
        provider_id: Set(provider.into()),
        abilities: Set(to_json("provider_models", "abilities", &model.abilities)?),
        name: Set(model.name),
        display_name: Set(model.display_name),
        context_window: Set(model.context_window.map(i64::from)),
        prices: Set(model.prices.map(|prices| to_json("provider_models", "prices", &prices)).transpose()?),
        stand_in: Set(model.stand_in),
        parameters: Set(model.parameters.map(|it| to_json("provider_models", "parameters", &it)).transpose()?),
        enabled: Set(model.enabled),
        position: Set(position),
    })
}

fn provider(row: &providers::Model, models: Vec<provider_models::Model>) -> Result<Provider, StorageError> {
    Ok(Provider {
        id: row.id.into(),
        name: row.name.clone(),
        slug: row.slug.clone(),
        kind: ProviderKind::parse(&row.kind).ok_or_else(|| StorageError::inconsistent("providers", "kind", row.id))?,
        base_url: row.base_url.clone(),
        has_api_key: row.api_key.is_some(),
        enabled: row.enabled,
        models: models.into_iter().map(provider_model).collect::<Result<_, _>>()?,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

fn provider_model(row: provider_models::Model) -> Result<ProviderModel, StorageError> {
    let window = row.context_window.map(u32::try_from).transpose();
    Ok(ProviderModel {
        context_window: window
            .map_err(|_| StorageError::inconsistent("provider_models", "context_window", &row.name))?,
        abilities: from_json("provider_models", "abilities", &row.name, &row.abilities)?,
        prices: row.prices.map(|text| from_json("provider_models", "prices", &row.name, &text)).transpose()?,
        stand_in: row.stand_in,
        parameters: row
            .parameters
            .map(|text| from_json("provider_models", "parameters", &row.name, &text))
            .transpose()?,
        name: row.name,
        display_name: row.display_name,
        enabled: row.enabled,
    })
}

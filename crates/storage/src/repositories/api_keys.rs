//! API keys: an id that everybody may see and a secret of which only the hash is kept.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::person::User;
use stoa_model::{ApiKeyId, Principal, Scope, Timestamp};

use crate::entities::{api_keys, users};
use crate::{Database, Notice, StorageError, access};

use super::users::user;
use super::{from_json, insert, to_json};

#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub secret_hash: Vec<u8>,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub secret_hash: Vec<u8>,
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl Database {
    pub async fn create_api_key(
        &self,
        principal: &Principal,
        new: NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKey, StorageError> {
        let row = api_keys::Model {
            id: new.id.into(),
            user_id: access::person(principal)?.into(),
            name: new.name,
            secret_hash: new.secret_hash,
            scopes: to_json("api_keys", "scopes", &new.scopes)?,
            created_at: now.as_millis(),
            expires_at: new.expires_at.map(Timestamp::as_millis),
            last_used_at: None,
        };
        insert(self.writer(), row.clone()).await?;
        api_key(row)
    }

    pub async fn api_keys(&self, principal: &Principal) -> Result<Vec<ApiKey>, StorageError> {
        let rows = api_keys::Entity::find()
            .filter(access::rows(principal.credentials(), api_keys::Column::UserId))
            .order_by_desc(api_keys::Column::CreatedAt)
            .all(self.reader())
            .await?;
        rows.into_iter().map(api_key).collect()
    }

    pub async fn delete_api_key(&self, principal: &Principal, id: ApiKeyId) -> Result<(), StorageError> {
        let row = api_keys::Entity::find_by_id(id.as_uuid())
            .filter(access::rows(principal.credentials(), api_keys::Column::UserId))
            .one(self.writer())
            .await?
            .ok_or(StorageError::NotFound)?;
        api_keys::Entity::delete_by_id(row.id).exec(self.writer()).await?;
        self.notices().publish(Notice::Identity { user: row.user_id.into() }).await;
        Ok(())
    }

    /// The key with this id and its owner, when neither has run out. For the identity door alone, which checks the
    /// secret.
    pub async fn api_key_by_id(&self, id: ApiKeyId, now: Timestamp) -> Result<Option<(ApiKey, User)>, StorageError> {
        let Some(row) = api_keys::Entity::find_by_id(id.as_uuid()).one(self.reader()).await? else { return Ok(None) };
        if row.expires_at.is_some_and(|at| at <= now.as_millis()) {
            return Ok(None);
        }
        let owner = users::Entity::find_by_id(row.user_id).one(self.reader()).await?.map(user).transpose()?;
        match owner {
            Some(owner) if !owner.disabled => Ok(Some((api_key(row)?, owner))),
            _ => Ok(None),
        }
    }

    pub async fn touch_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<(), StorageError> {
        api_keys::Entity::update_many()
            .col_expr(api_keys::Column::LastUsedAt, Expr::value(now.as_millis()))
            .filter(api_keys::Column::Id.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        Ok(())
    }
}

fn api_key(row: api_keys::Model) -> Result<ApiKey, StorageError> {
    Ok(ApiKey {
        scopes: from_json("api_keys", "scopes", row.id, &row.scopes)?,
        id: row.id.into(),
        name: row.name,
        secret_hash: row.secret_hash,
        created_at: Timestamp::from_millis(row.created_at),
        expires_at: row.expires_at.map(Timestamp::from_millis),
        last_used_at: row.last_used_at.map(Timestamp::from_millis),
    })
}

//! Versions of functions: made once, never changed; and what whoever runs them needs.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;
use stoa_model::function::{
    AliasRoute, FunctionAlias, FunctionAuthor, FunctionVersion, HttpTrigger, LIVE, ModelAccess,
};
use stoa_model::{FunctionId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{function_secrets, function_versions, functions, users};
use crate::repositories::functions::StoredCode;
use crate::{Database, Notice, Secret, StorageError};

use super::functions::{find, http, locked, secret_place};
use super::{from_json, function_aliases, insert};

/// Versions of one function.
const MAX_VERSIONS: u64 = 10_000;

/// A function as whoever calls it meets it.
#[derive(Clone, Debug)]
pub struct CallableFunction {
    pub id: FunctionId,
    pub name: String,
    pub owner: UserId,
    pub http: HttpTrigger,
    pub aliases: Vec<FunctionAlias>,
    pub revision: i64,
    pub secrets_revision: i64,
}

/// What is needed to run a version, or what will be the next one.
#[derive(Clone, Debug)]
pub struct RunnableVersion {
    pub settings: Value,
    pub code: StoredCode,
    pub secrets: BTreeMap<String, Secret>,
    pub models: ModelAccess,
}

impl Database {
    /// Makes a version of what the function is at that revision. The first one goes live.
    pub async fn publish_function(
        &self,
        principal: &Principal,
        id: FunctionId,
        revision: i64,
        digest: String,
        note: String,
        now: Timestamp,
    ) -> Result<FunctionVersion, StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, id).await?;
        if row.revision != revision {
            return Err(StorageError::Refused("the function was changed meanwhile"));
        }
        let latest = latest(&transaction, row.id).await?;
        if latest.as_ref().is_some_and(|latest| latest.digest == digest) {
            return Err(StorageError::Refused("nothing has changed since the latest version"));
        }
        let count = function_versions::Entity::find().filter(function_versions::Column::FunctionId.eq(row.id));
        if count.count(&transaction).await? >= MAX_VERSIONS {
            return Err(StorageError::Refused("the function has too many versions already"));
        }
        let made = function_versions::Model {
            function_id: row.id,
            number: latest.map_or(1, |latest| latest.number + 1),
            digest,
            settings: row.settings,
            code: row.code,
            files: row.files,
            note,
            created_by: principal.user_id().map(Into::into),
            created_at: now.as_millis(),
        };
        insert(&transaction, made.clone()).await?;
        if made.number == 1 {
            let route = AliasRoute { version: 1, canary: None };
            function_aliases::insert_alias(&transaction, row.id, LIVE, &route, now).await?;
        }
        let version = versions(&transaction, vec![made]).await?.pop().ok_or(StorageError::NotFound)?;
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(version)
    }

    /// The newest first.
    pub async fn function_versions(
        &self,
        principal: &Principal,
        id: FunctionId,
    ) -> Result<Vec<FunctionVersion>, StorageError> {
        find(self.reader(), principal, id).await?;
        let rows = function_versions::Entity::find()
            .filter(function_versions::Column::FunctionId.eq(id.as_uuid()))
            .order_by_desc(function_versions::Column::Number)
            .all(self.reader())
            .await?;
        versions(self.reader(), rows).await
    }

    /// Where the code of a version lies.
    pub async fn function_version_code(
        &self,
        principal: &Principal,
        id: FunctionId,
        number: u32,
    ) -> Result<StoredCode, StorageError> {
        find(self.reader(), principal, id).await?;
        let row = version(self.reader(), id.into(), number).await?;
        Ok(StoredCode { files: from_json("function_versions", "files", id, &row.files)?, digest: row.code })
    }

    /// A function by its name, whoever calls it.
    pub async fn callable_function(&self, principal: &Principal, name: &str) -> Result<CallableFunction, StorageError> {
        let row =
            super::functions::visible(principal).filter(functions::Column::Name.eq(name)).one(self.reader()).await?;
        callable(self.reader(), row.ok_or(StorageError::NotFound)?).await
    }

    pub async fn callable_function_by_id(
        &self,
        principal: &Principal,
        id: FunctionId,
    ) -> Result<CallableFunction, StorageError> {
        callable(self.reader(), find(self.reader(), principal, id).await?).await
    }

    /// What a version runs; without a number, what will be the next one.
    pub async fn runnable_version(
        &self,
        principal: &Principal,
        id: FunctionId,
        number: Option<u32>,
    ) -> Result<RunnableVersion, StorageError> {
        let connection = self.reader();
        let row = find(connection, principal, id).await?;
        let (settings, code, files) = match number {
            Some(number) => {
                let row = version(connection, row.id, number).await?;
                (row.settings, row.code, row.files)
            }
            None => (row.settings, row.code, row.files),
        };
        let sealed = function_secrets::Entity::find()
            .filter(function_secrets::Column::FunctionId.eq(row.id))
            .all(connection)
            .await?;
        let secrets = sealed
            .into_iter()
            .map(|secret| Ok((secret.name.clone(), self.key().open(&secret_place(id, &secret.name), &secret.sealed)?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(RunnableVersion {
            settings: from_json("functions", "settings", row.id, &settings)?,
            code: StoredCode { files: from_json("functions", "files", row.id, &files)?, digest: code },
            secrets,
            models: from_json("functions", "models", row.id, &row.models)?,
        })
    }
}

pub(super) fn number(number: i32, function: Uuid) -> Result<u32, StorageError> {
    u32::try_from(number).map_err(|_| StorageError::inconsistent("function_versions", "number", function))
}

pub(super) async fn latest<C: ConnectionTrait>(
    connection: &C,
    function: Uuid,
) -> Result<Option<function_versions::Model>, StorageError> {
    let found = function_versions::Entity::find()
        .filter(function_versions::Column::FunctionId.eq(function))
        .order_by_desc(function_versions::Column::Number)
        .one(connection)
        .await?;
    Ok(found)
}

pub(super) async fn version<C: ConnectionTrait>(
    connection: &C,
    function: Uuid,
    number: u32,
) -> Result<function_versions::Model, StorageError> {
    let number = i32::try_from(number).map_err(|_| StorageError::NotFound)?;
    function_versions::Entity::find_by_id((function, number)).one(connection).await?.ok_or(StorageError::NotFound)
}

async fn callable<C: ConnectionTrait>(connection: &C, row: functions::Model) -> Result<CallableFunction, StorageError> {
    Ok(CallableFunction {
        id: row.id.into(),
        owner: row.owner_id.into(),
        http: http(&row)?,
        aliases: function_aliases::of(connection, row.id).await?,
        revision: row.revision,
        secrets_revision: row.secrets_revision,
        name: row.name,
    })
}

async fn versions<C: ConnectionTrait>(
    connection: &C,
    rows: Vec<function_versions::Model>,
) -> Result<Vec<FunctionVersion>, StorageError> {
    let authors: Vec<_> = rows.iter().filter_map(|row| row.created_by).collect();
    let people: HashMap<Uuid, String> = users::Entity::find()
        .filter(users::Column::Id.is_in(authors))
        .all(connection)
        .await?
        .into_iter()
        .map(|user| (user.id, user.name))
        .collect();
    let version = |row: function_versions::Model| {
        let author = row.created_by.and_then(|id| people.get(&id).map(|name| (id, name.clone())));
        Ok(FunctionVersion {
            number: number(row.number, row.function_id)?,
            digest: row.digest,
            note: row.note,
            created_at: Timestamp::from_millis(row.created_at),
            created_by: author.map(|(id, name)| FunctionAuthor { id: id.into(), name }),
            files: from_json("function_versions", "files", row.function_id, &row.files)?,
            settings: from_json("function_versions", "settings", row.function_id, &row.settings)?,
        })
    };
    rows.into_iter().map(version).collect()
}

/// Whether it still does, until the transaction ends.
pub(super) async fn exists(transaction: &DatabaseTransaction, function: FunctionId) -> Result<bool, StorageError> {
    let found = functions::Entity::find_by_id(function.as_uuid()).lock_shared().one(transaction).await?;
    Ok(found.is_some())
}

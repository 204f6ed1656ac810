//! Functions: what their owners see of them, and how they change.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;
use stoa_model::function::{
    CodeFile, Function, FunctionModel, FunctionProfile, HttpAccess, HttpTrigger, Language, MAX_FUNCTIONS, MAX_SECRETS,
    ModelAccess,
};
use stoa_model::person::User;
use stoa_model::{FunctionId, Principal, ProviderId, Timestamp};

use crate::entities::{function_secrets, function_versions, functions, provider_models, providers, users};
use crate::{Database, Notice, Secret, StorageError, access};

use super::users::user;
use super::{
    from_json, function_aliases, function_builds, function_versions as versions, function_volumes, insert, to_json,
};

/// Code that lies in the object store, claimed by [`Database::claim_blob`] and put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCode {
    pub digest: String,
    pub files: Vec<CodeFile>,
}

#[derive(Clone, Debug)]
pub struct NewFunction {
    pub name: String,
    pub profile: FunctionProfile,
    pub language: Language,
    pub template: Option<String>,
    pub settings: Value,
    pub code: StoredCode,
    pub models: ModelAccess,
}

/// What changes about a function. Code and settings need the revision that they were made from.
#[derive(Clone, Debug, Default)]
pub struct FunctionChange {
    pub profile: Option<FunctionProfile>,
    pub http: Option<HttpTrigger>,
    pub models: Option<ModelAccess>,
    pub settings: Option<Value>,
    pub code: Option<StoredCode>,
    pub revision: Option<i64>,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLine {
    pub id: FunctionId,
    pub name: String,
    pub profile: FunctionProfile,
    pub language: Language,
    pub updated_at: Timestamp,
    pub latest_version: Option<u32>,
    pub model: Option<String>,
}

impl Database {
    pub async fn create_function(
        &self,
        principal: &Principal,
        new: NewFunction,
        now: Timestamp,
    ) -> Result<Function, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let held = functions::Entity::find().filter(functions::Column::OwnerId.eq(owner.as_uuid()));
        if held.count(&transaction).await? >= MAX_FUNCTIONS {
            return Err(StorageError::Refused("there are too many functions already"));
        }
        hold(&transaction, &new.code, now).await?;
        function_volumes::hold(&transaction, owner.into(), &new.settings).await?;
        let row = functions::Model {
            id: FunctionId::generate(now).into(),
            owner_id: owner.into(),
            name: new.name,
            profile: to_json("functions", "profile", &new.profile)?,
            language: new.language.as_str().to_owned(),
            template: new.template,
            revision: 1,
            settings: to_json("functions", "settings", &new.settings)?,
            code: new.code.digest,
            files: to_json("functions", "files", &new.code.files)?,
            secrets_revision: 0,
            access: HttpAccess::Off.as_str().to_owned(),
            access_alias: stoa_model::function::LIVE.to_owned(),
            access_jwt: None,
            access_inside: false,
            models: to_json("functions", "models", &new.models)?,
            provider_id: None,
            model_alias: None,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
        };
        insert(&transaction, row.clone()).await.map_err(StorageError::taken("name"))?;
        let made = whole(&transaction, row).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// All of the caller's, by their names.
    pub async fn functions(&self, principal: &Principal) -> Result<Vec<FunctionLine>, StorageError> {
        let connection = self.reader();
        let rows = visible(principal).order_by_asc(functions::Column::Name).all(connection).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let latest: HashMap<uuid::Uuid, i32> = function_versions::Entity::find()
            .select_only()
            .column(function_versions::Column::FunctionId)
            .column_as(function_versions::Column::Number.max(), "latest")
            .filter(function_versions::Column::FunctionId.is_in(ids))
            .group_by(function_versions::Column::FunctionId)
            .into_tuple::<(uuid::Uuid, i32)>()
            .all(connection)
            .await?
            .into_iter()
            .collect();
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let model = model(connection, &row).await?.and_then(|model| model.model);
            lines.push(FunctionLine {
                id: row.id.into(),
                latest_version: latest.get(&row.id).map(|number| versions::number(*number, row.id)).transpose()?,
                profile: from_json("functions", "profile", row.id, &row.profile)?,
                language: language(&row)?,
                updated_at: Timestamp::from_millis(row.updated_at),
                name: row.name,
                model,
            });
        }
        Ok(lines)
    }

    pub async fn function(&self, principal: &Principal, id: FunctionId) -> Result<Function, StorageError> {
        let row = find(self.reader(), principal, id).await?;
        whole(self.reader(), row).await
    }

    /// Where the code lies that versions are made of from now on.
    pub async fn function_code(&self, principal: &Principal, id: FunctionId) -> Result<StoredCode, StorageError> {
        let row = find(self.reader(), principal, id).await?;
        Ok(StoredCode { files: from_json("functions", "files", row.id, &row.files)?, digest: row.code })
    }

    pub async fn change_function(
        &self,
        principal: &Principal,
        id: FunctionId,
        change: FunctionChange,
        now: Timestamp,
    ) -> Result<Function, StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, id).await?;
        let mut update = functions::Entity::update_many()
            .filter(functions::Column::Id.eq(id.as_uuid()))
            .col_expr(functions::Column::UpdatedAt, Expr::value(now.as_millis()));
        if change.settings.is_some() || change.code.is_some() {
            if change.revision != Some(row.revision) {
                return Err(StorageError::Refused("the function was changed meanwhile"));
            }
            update = update.col_expr(functions::Column::Revision, Expr::value(row.revision + 1));
        }
        if let Some(profile) = change.profile {
            let profile = to_json("functions", "profile", &profile)?;
            update = update.col_expr(functions::Column::Profile, Expr::value(profile));
        }
        if let Some(HttpTrigger { access, alias, jwt, inside }) = change.http {
            let jwt = jwt.map(|jwt| to_json("functions", "access_jwt", &jwt)).transpose()?;
            update = update
                .col_expr(functions::Column::AccessJwt, Expr::value(jwt))
                .col_expr(functions::Column::Access, Expr::value(access.as_str()))
                .col_expr(functions::Column::AccessAlias, Expr::value(alias))
                .col_expr(functions::Column::AccessInside, Expr::value(inside));
        }
        if let Some(models) = change.models {
            let old: ModelAccess = from_json("functions", "models", row.id, &row.models)?;
            let models_text = to_json("functions", "models", &models)?;
            update = update.col_expr(functions::Column::Models, Expr::value(models_text));
            // Instances have a token or none; which models it is good for is looked up.
            if (old == ModelAccess::Off) != (models == ModelAccess::Off) {
                let next = Expr::col(functions::Column::SecretsRevision).add(1);
                update = update.col_expr(functions::Column::SecretsRevision, next);
            }
        }
        if let Some(settings) = change.settings {
            function_volumes::hold(&transaction, row.owner_id, &settings).await?;
            let settings = to_json("functions", "settings", &settings)?;
            update = update.col_expr(functions::Column::Settings, Expr::value(settings));
        }
        if let Some(code) = change.code {
            hold(&transaction, &code, now).await?;
            let files = to_json("functions", "files", &code.files)?;
            update = update
                .col_expr(functions::Column::Code, Expr::value(code.digest))
                .col_expr(functions::Column::Files, Expr::value(files));
        }
        update.exec(&transaction).await?;
        let row = find(&transaction, principal, id).await?;
        let changed = whole(&transaction, row).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(changed)
    }

    /// With all its versions. The provider that makes it a model goes as well.
    pub async fn delete_function(&self, principal: &Principal, id: FunctionId) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, id).await?;
        if let Some(provider) = row.provider_id {
            providers::Entity::delete_by_id(provider).exec(&transaction).await?;
        }
        functions::Entity::delete_by_id(id.as_uuid()).exec(&transaction).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        if row.provider_id.is_some() {
            self.notices().publish(Notice::Settings).await;
        }
        Ok(())
    }

    pub async fn put_function_secret(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
        value: &Secret,
    ) -> Result<(), StorageError> {
        let sealed = self.key().seal(&secret_place(id, name), value)?;
        let transaction = self.begin().await?;
        locked(&transaction, principal, id).await?;
        let key = (id.as_uuid(), name.to_owned());
        function_secrets::Entity::delete_by_id(key).exec(&transaction).await?;
        let held = function_secrets::Entity::find().filter(function_secrets::Column::FunctionId.eq(id.as_uuid()));
        if held.count(&transaction).await? >= MAX_SECRETS as u64 {
            return Err(StorageError::Refused("the function has too many secrets already"));
        }
        let row = function_secrets::Model { function_id: id.into(), name: name.to_owned(), sealed };
        insert(&transaction, row).await?;
        self.commit_secrets(transaction, id).await
    }

    pub async fn delete_function_secret(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        locked(&transaction, principal, id).await?;
        let key = (id.as_uuid(), name.to_owned());
        if function_secrets::Entity::delete_by_id(key).exec(&transaction).await?.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        self.commit_secrets(transaction, id).await
    }

    /// Instances with the old ones are told apart by the revision.
    async fn commit_secrets(&self, transaction: DatabaseTransaction, id: FunctionId) -> Result<(), StorageError> {
        functions::Entity::update_many()
            .filter(functions::Column::Id.eq(id.as_uuid()))
            .col_expr(functions::Column::SecretsRevision, Expr::col(functions::Column::SecretsRevision).add(1))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(())
    }

    /// Notes by which provider a function is a model, or that it is none any more.
    pub async fn set_function_model(
        &self,
        principal: &Principal,
        id: FunctionId,
        model: Option<(ProviderId, String)>,
    ) -> Result<(), StorageError> {
        find(self.writer(), principal, id).await?;
        let (provider, alias) = model.unzip();
        functions::Entity::update_many()
            .filter(functions::Column::Id.eq(id.as_uuid()))
            .col_expr(functions::Column::ProviderId, Expr::value(provider.map(ProviderId::as_uuid)))
            .col_expr(functions::Column::ModelAlias, Expr::value(alias))
            .exec(self.writer())
            .await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(())
    }
}

impl Database {
    /// Whose account a function is on, and which models it may call; nothing where it is gone, or its owner may not sign in.
    pub async fn function_rights(
        &self,
        principal: &Principal,
        id: FunctionId,
    ) -> Result<Option<(User, ModelAccess)>, StorageError> {
        if !matches!(principal, Principal::System(_)) {
            return Err(StorageError::Forbidden);
        }
        let Some(row) = functions::Entity::find_by_id(id.as_uuid()).one(self.reader()).await? else { return Ok(None) };
        let models: ModelAccess = from_json("functions", "models", row.id, &row.models)?;
        let owner = users::Entity::find_by_id(row.owner_id).one(self.reader()).await?.map(user).transpose()?;
        Ok(owner.filter(|owner| !owner.disabled).map(|owner| (owner, models)))
    }
}

pub(super) fn visible(principal: &Principal) -> sea_orm::Select<functions::Entity> {
    functions::Entity::find().filter(access::rows(principal.functions(), functions::Column::OwnerId))
}

pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: FunctionId,
) -> Result<functions::Model, StorageError> {
    let found = visible(principal).filter(functions::Column::Id.eq(id.as_uuid())).one(connection).await?;
    found.ok_or(StorageError::NotFound)
}

/// Held until the transaction ends, so that changes of one function come one after the other.
pub(super) async fn locked(
    transaction: &DatabaseTransaction,
    principal: &Principal,
    id: FunctionId,
) -> Result<functions::Model, StorageError> {
    let found = visible(principal).filter(functions::Column::Id.eq(id.as_uuid())).lock_exclusive().one(transaction);
    found.await?.ok_or(StorageError::NotFound)
}

pub(super) fn secret_place(id: FunctionId, name: &str) -> String {
    format!("function_secrets.sealed/{id}/{name}")
}

pub(super) fn http(row: &functions::Model) -> Result<HttpTrigger, StorageError> {
    let access =
        HttpAccess::parse(&row.access).ok_or_else(|| StorageError::inconsistent("functions", "access", row.id))?;
    let jwt = row.access_jwt.as_deref().map(|jwt| from_json("functions", "access_jwt", row.id, jwt)).transpose()?;
    Ok(HttpTrigger { access, alias: row.access_alias.clone(), jwt, inside: row.access_inside })
}

fn language(row: &functions::Model) -> Result<Language, StorageError> {
    Language::parse(&row.language).ok_or_else(|| StorageError::inconsistent("functions", "language", row.id))
}

async fn hold(transaction: &DatabaseTransaction, code: &StoredCode, now: Timestamp) -> Result<(), StorageError> {
    if super::files::touch_blob(transaction, &code.digest, now).await? {
        return function_builds::want(transaction, &code.digest).await;
    }
    Err(StorageError::Refused("the upload took too long"))
}

async fn model<C: ConnectionTrait>(
    connection: &C,
    row: &functions::Model,
) -> Result<Option<FunctionModel>, StorageError> {
    let (Some(provider), Some(alias)) = (row.provider_id, row.model_alias.clone()) else { return Ok(None) };
    let Some(found) = providers::Entity::find_by_id(provider).one(connection).await? else { return Ok(None) };
    let first = provider_models::Entity::find()
        .filter(provider_models::Column::ProviderId.eq(provider))
        .filter(provider_models::Column::Enabled.eq(true))
        .order_by_asc(provider_models::Column::Position)
        .one(connection)
        .await?;
    let model = first.map(|model| format!("{}/{}", found.slug, model.name));
    Ok(Some(FunctionModel { provider_id: provider.into(), model, alias }))
}

async fn whole<C: ConnectionTrait>(connection: &C, row: functions::Model) -> Result<Function, StorageError> {
    let latest = versions::latest(connection, row.id).await?;
    let mut secrets: Vec<String> = function_secrets::Entity::find()
        .select_only()
        .column(function_secrets::Column::Name)
        .filter(function_secrets::Column::FunctionId.eq(row.id))
        .into_tuple()
        .all(connection)
        .await?;
    secrets.sort();
    let differs = |latest: &function_versions::Model| latest.code != row.code || latest.settings != row.settings;
    Ok(Function {
        id: row.id.into(),
        profile: from_json("functions", "profile", row.id, &row.profile)?,
        language: language(&row)?,
        revision: row.revision,
        settings: from_json("functions", "settings", row.id, &row.settings)?,
        files: from_json("functions", "files", row.id, &row.files)?,
        secrets,
        http: http(&row)?,
        models: from_json("functions", "models", row.id, &row.models)?,
        aliases: function_aliases::of(connection, row.id).await?,
        latest_version: latest.as_ref().map(|latest| versions::number(latest.number, row.id)).transpose()?,
        changed: latest.as_ref().is_none_or(differs),
        model: model(connection, &row).await?,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        name: row.name,
        template: row.template,
    })
}

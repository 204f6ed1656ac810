//! Aliases of functions: which version answers, which one is tried, and what it was before.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::function::{AliasChange, AliasRoute, FunctionAlias, LIVE, MAX_ALIASES};
use stoa_model::{FunctionId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::function_aliases;
use crate::{Database, Notice, StorageError};

use super::function_versions::version;
use super::functions::locked;
use super::{from_json, function_volumes, insert, to_json};

impl Database {
    /// Makes an alias or changes it. What it was is what a roll-back goes back to.
    pub async fn put_function_alias(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
        change: AliasChange,
        now: Timestamp,
    ) -> Result<FunctionAlias, StorageError> {
        let AliasChange { version, canary, sticky } = change;
        self.turn_alias(principal, id, name, now, |old| {
            let route = AliasRoute { version, canary };
            let previous = old.as_ref().filter(|old| old.route != route).map(|old| old.route.clone());
            let previous = previous.or_else(|| old.and_then(|old| old.previous));
            Ok(FunctionAlias { name: name.to_owned(), route, sticky, previous, updated_at: now })
        })
        .await
    }

    /// The version that is tried becomes the one that answers.
    pub async fn promote_function_alias(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
        now: Timestamp,
    ) -> Result<FunctionAlias, StorageError> {
        self.turn_alias(principal, id, name, now, |old| {
            let old = old.ok_or(StorageError::NotFound)?;
            let canary = old.route.canary.ok_or(StorageError::Refused("the alias tries no version"))?;
            let route = AliasRoute { version: canary.version, canary: None };
            Ok(FunctionAlias { route, previous: Some(old.route.clone()), updated_at: now, ..old })
        })
        .await
    }

    /// The alias becomes what it was before, with nothing tried.
    pub async fn roll_back_function_alias(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
        now: Timestamp,
    ) -> Result<FunctionAlias, StorageError> {
        self.turn_alias(principal, id, name, now, |old| {
            let old = old.ok_or(StorageError::NotFound)?;
            // While a version is tried, going back means to stop trying.
            let version = match (old.route.canary, &old.previous) {
                (Some(_), _) => old.route.version,
                (None, Some(previous)) => previous.version,
                (None, None) => return Err(StorageError::Refused("the alias was nothing else before")),
            };
            let route = AliasRoute { version, canary: None };
            Ok(FunctionAlias { route, previous: Some(old.route.clone()), updated_at: now, ..old })
        })
        .await
    }

    pub async fn delete_function_alias(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, id).await?;
        if name == LIVE {
            return Err(StorageError::Refused("the alias `live` stays"));
        }
        if row.access_alias == name || row.model_alias.as_deref() == Some(name) {
            return Err(StorageError::Refused("the alias is in use"));
        }
        let key = (row.id, name.to_owned());
        if function_aliases::Entity::delete_by_id(key).exec(&transaction).await?.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(())
    }

    async fn turn_alias(
        &self,
        principal: &Principal,
        id: FunctionId,
        name: &str,
        now: Timestamp,
        turn: impl FnOnce(Option<FunctionAlias>) -> Result<FunctionAlias, StorageError>,
    ) -> Result<FunctionAlias, StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, id).await?;
        let all = of(&transaction, row.id).await?;
        let others = all.len();
        let old = all.into_iter().find(|alias| alias.name == name);
        let is_new = old.is_none();
        let turned = turn(old)?;
        // They are there: nobody routes to what is not.
        for number in
            [Some(turned.route.version), turned.route.canary.map(|canary| canary.version)].into_iter().flatten()
        {
            let found = version(&transaction, row.id, number).await.map_err(|error| match error {
                StorageError::NotFound => StorageError::Refused("there is no such version"),
                error => error,
            })?;
            // And so are the folders that it writes to.
            let settings = from_json("function_versions", "settings", row.id, &found.settings)?;
            function_volumes::hold(&transaction, row.owner_id, &settings).await?;
        }
        if is_new {
            if others >= MAX_ALIASES {
                return Err(StorageError::Refused("the function has too many aliases already"));
            }
            insert_alias(&transaction, row.id, name, &turned.route, now).await?;
        }
        let json = |column, value: &AliasRoute| to_json("function_aliases", column, value);
        let sticky = turned.sticky.as_ref().map(|sticky| to_json("function_aliases", "sticky", sticky)).transpose()?;
        let previous = turned.previous.as_ref().map(|previous| json("previous", previous)).transpose()?;
        function_aliases::Entity::update_many()
            .filter(function_aliases::Column::FunctionId.eq(row.id))
            .filter(function_aliases::Column::Name.eq(name))
            .col_expr(function_aliases::Column::Route, Expr::value(json("route", &turned.route)?))
            .col_expr(function_aliases::Column::Sticky, Expr::value(sticky))
            .col_expr(function_aliases::Column::Previous, Expr::value(previous))
            .col_expr(function_aliases::Column::UpdatedAt, Expr::value(now.as_millis()))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Function { function: id }).await;
        Ok(turned)
    }
}

pub(super) async fn insert_alias(
    transaction: &DatabaseTransaction,
    function: Uuid,
    name: &str,
    route: &AliasRoute,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = function_aliases::Model {
        function_id: function,
        name: name.to_owned(),
        route: to_json("function_aliases", "route", route)?,
        sticky: None,
        previous: None,
        updated_at: now.as_millis(),
    };
    Ok(insert(transaction, row).await?)
}

pub(super) async fn of<C: ConnectionTrait>(connection: &C, function: Uuid) -> Result<Vec<FunctionAlias>, StorageError> {
    let rows = function_aliases::Entity::find()
        .filter(function_aliases::Column::FunctionId.eq(function))
        .order_by_asc(function_aliases::Column::Name)
        .all(connection)
        .await?;
    rows.into_iter().map(alias).collect()
}

pub(super) fn route(row: &function_aliases::Model) -> Result<AliasRoute, StorageError> {
    from_json("function_aliases", "route", row.function_id, &row.route)
}

fn alias(row: function_aliases::Model) -> Result<FunctionAlias, StorageError> {
    let read = |column, text: &str| from_json("function_aliases", column, row.function_id, text);
    let sticky = row.sticky.as_deref();
    Ok(FunctionAlias {
        route: route(&row)?,
        sticky: sticky.map(|text| from_json("function_aliases", "sticky", row.function_id, text)).transpose()?,
        previous: row.previous.as_deref().map(|text| read("previous", text)).transpose()?,
        updated_at: Timestamp::from_millis(row.updated_at),
        name: row.name,
    })
}

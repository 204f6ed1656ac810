//! One module a kind of row; every function takes the principal it works for.

pub(crate) mod allowances;
pub(crate) mod api_keys;
pub(crate) mod assistant_folders;
pub(crate) mod assistant_shares;
pub(crate) mod assistants;
pub(crate) mod browser_generations;
pub(crate) mod bulk;
pub(crate) mod context;
pub(crate) mod conversations;
pub(crate) mod exports;
pub(crate) mod files;
pub(crate) mod function_accounts;
pub(crate) mod function_aliases;
pub(crate) mod function_builds;
pub(crate) mod function_timers;
pub(crate) mod function_usage;
pub(crate) mod function_versions;
pub(crate) mod function_volumes;
pub(crate) mod functions;
pub(crate) mod generations;
pub(crate) mod imported_messages;
pub(crate) mod imports;
pub(crate) mod instances;
pub(crate) mod messages;
pub(crate) mod personal_providers;
pub(crate) mod projects;
pub(crate) mod prompts;
pub(crate) mod providers;
pub(crate) mod removals;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod shares;
pub(crate) mod summaries;
pub(crate) mod threads;
pub(crate) mod usage;
pub(crate) mod usage_sums;
pub(crate) mod users;

use sea_orm::{ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::StorageError;

/// Inserts a whole row.
///
/// Never by `INSERT … RETURNING` outside a transaction: SQLite hands the row out before it commits, and a commit that then
/// fails, as on a full disk, would go unheard.
pub(crate) async fn insert<C, M>(connection: &C, row: M) -> Result<(), DbErr>
where
    C: ConnectionTrait,
    M: IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> + sea_orm::ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity> + ActiveModelBehavior + Send,
{
    let row = row.into_active_model().reset_all();
    M::Entity::insert(row).exec_without_returning(connection).await.map(|_| ())
}

/// All of `all`, those that are `named` first and in that order. A name that is not among them is not found.
pub(crate) fn reordered(mut all: Vec<Uuid>, named: impl IntoIterator<Item = Uuid>) -> Result<Vec<Uuid>, StorageError> {
    let mut order = Vec::with_capacity(all.len());
    for id in named {
        let at = all.iter().position(|other| *other == id).ok_or(StorageError::NotFound)?;
        order.push(all.remove(at));
    }
    order.append(&mut all);
    Ok(order)
}

/// Writes a document column. The types of the model always fit JSON.
pub(crate) fn to_json<T: Serialize + ?Sized>(
    table: &'static str,
    column: &'static str,
    value: &T,
) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|_| StorageError::inconsistent(table, column, "to be written"))
}

/// Reads a document column.
pub(crate) fn from_json<T: DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    row: impl std::fmt::Display,
    text: &str,
) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|_| StorageError::inconsistent(table, column, row))
}

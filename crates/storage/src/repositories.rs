//! One module a kind of row; every function takes the principal it works for.

pub(crate) mod allowances;
pub(crate) mod api_keys;
pub(crate) mod conversations;
pub(crate) mod generations;
pub(crate) mod instances;
pub(crate) mod messages;
pub(crate) mod providers;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod usage;
pub(crate) mod users;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StorageError;

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
    row: impl ToString,
    text: &str,
) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|_| StorageError::inconsistent(table, column, row))
}

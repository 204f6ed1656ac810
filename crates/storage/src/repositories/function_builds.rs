//! Packages that functions need, by what was asked for. They are nobody's: the key tells all that went into them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::Timestamp;

use crate::entities::function_builds;
use crate::{Database, StorageError};

use super::insert;

impl Database {
    /// The blobs of what was built, in their order; none where nothing was.
    pub async fn function_build(&self, key: &str) -> Result<Vec<String>, StorageError> {
        let rows = function_builds::Entity::find()
            .filter(function_builds::Column::Key.eq(key))
            .order_by_asc(function_builds::Column::Part)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|row| row.blob).collect())
    }

    /// Notes what was built. The blobs are claimed and put. What somebody else has built of the same meanwhile stays.
    pub async fn keep_function_build(&self, key: &str, blobs: &[String], now: Timestamp) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        for (part, blob) in (0..).zip(blobs) {
            if !super::files::touch_blob(&transaction, blob, now).await? {
                return Err(StorageError::Refused("the upload took too long"));
            }
            let row =
                function_builds::Model { key: key.to_owned(), part, blob: blob.clone(), built_at: now.as_millis() };
            match insert(&transaction, row).await.map_err(StorageError::taken("build")) {
                Err(StorageError::Taken(_)) => return Ok(()),
                done => done?,
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}

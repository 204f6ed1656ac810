//! Single values of the whole installation.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

use crate::entities::settings;
use crate::{Database, SealError, Secret, StorageError};

const CHECK: &str = "master_key_check";
const CHECK_VALUE: &str = "stoa";

impl Database {
    /// Opens the check row with the master key; writes the row when there is none.
    pub(crate) async fn verify_master_key(&self) -> Result<(), StorageError> {
        let sealed = self.key().seal(CHECK, &Secret::new(CHECK_VALUE))?;
        settings::Entity::insert(settings::ActiveModel { key: Set(CHECK.to_owned()), value: Set(sealed) })
            .on_conflict(OnConflict::column(settings::Column::Key).do_nothing().to_owned())
            .exec_without_returning(self.writer())
            .await?;
        let row = settings::Entity::find_by_id(CHECK).one(self.writer()).await?.ok_or(StorageError::NotFound)?;
        let opened = self.key().open(CHECK, &row.value)?;
        if opened.expose() == CHECK_VALUE { Ok(()) } else { Err(SealError::WrongKey.into()) }
    }
}

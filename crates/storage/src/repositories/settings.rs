//! Single values of the whole installation.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use stoa_model::Principal;

use crate::entities::settings;
use crate::{Database, SealError, Secret, StorageError};

const CHECK: &str = "master_key_check";
/// Whether links may open for whoever has them. Off where there is no such row.
const PUBLIC_LINKS: &str = "public_links";
const ON: &str = "on";
const CHECK_VALUE: &str = "stoa";

/// Whether links for everyone open anything.
pub(super) async fn public_links<C: ConnectionTrait>(connection: &C) -> Result<bool, StorageError> {
    let row = settings::Entity::find_by_id(PUBLIC_LINKS).one(connection).await?;
    Ok(row.is_some_and(|row| row.value == ON))
}

impl Database {
    /// Whether links may open for whoever has them, signed in or not.
    pub async fn public_links(&self) -> Result<bool, StorageError> {
        public_links(self.reader()).await
    }

    /// Switches links for everyone on or off. Those that are there open nothing while it is off.
    pub async fn allow_public_links(&self, principal: &Principal, allowed: bool) -> Result<(), StorageError> {
        if !principal.may_decide_on_links() {
            return Err(StorageError::Forbidden);
        }
        let value = if allowed { ON } else { "off" };
        let row = settings::ActiveModel { key: Set(PUBLIC_LINKS.to_owned()), value: Set(value.to_owned()) };
        let again = OnConflict::column(settings::Column::Key).update_column(settings::Column::Value).to_owned();
        settings::Entity::insert(row).on_conflict(again).exec_without_returning(self.writer()).await?;
        Ok(())
    }

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

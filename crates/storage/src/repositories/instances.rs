//! Server processes and their heartbeats: who is alive, and whose generations are orphans.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use stoa_model::{InstanceId, Timestamp};

use crate::entities::instances;
use crate::{Database, StorageError};

use super::browser_generations::BROWSER;

impl Database {
    pub async fn register_instance(&self, id: InstanceId, version: &str, now: Timestamp) -> Result<(), StorageError> {
        let row = instances::ActiveModel {
            id: Set(id.into()),
            version: Set(version.to_owned()),
            started_at: Set(now.as_millis()),
            heartbeat_at: Set(now.as_millis()),
        };
        instances::Entity::insert(row).exec_without_returning(self.writer()).await?;
        Ok(())
    }

    /// Says that the instance lives. False when its row is gone: it was thought dead for so long that it was swept.
    pub async fn heartbeat(&self, id: InstanceId, now: Timestamp) -> Result<bool, StorageError> {
        let result = instances::Entity::update_many()
            .col_expr(instances::Column::HeartbeatAt, Expr::value(now.as_millis()))
            .filter(instances::Column::Id.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        Ok(result.rows_affected == 1)
    }

    /// A good-bye: what this instance still owned is an orphan at once.
    pub async fn forget_instance(&self, id: InstanceId) -> Result<(), StorageError> {
        instances::Entity::delete_by_id(id.as_uuid()).exec(self.writer()).await?;
        Ok(())
    }

    /// The database is this process's alone: whatever other server is in it is dead. Browsers may live.
    pub async fn sweep_other_servers(&self) -> Result<(), StorageError> {
        instances::Entity::delete_many().filter(instances::Column::Version.ne(BROWSER)).exec(self.writer()).await?;
        Ok(())
    }

    /// Removes instances that have been silent since before `silent_since`.
    pub async fn sweep_instances(&self, silent_since: Timestamp) -> Result<u64, StorageError> {
        let result = instances::Entity::delete_many()
            .filter(instances::Column::HeartbeatAt.lt(silent_since.as_millis()))
            .exec(self.writer())
            .await?;
        Ok(result.rows_affected)
    }
}

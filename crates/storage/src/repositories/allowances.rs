//! Private addresses that an admin allowed the server to reach.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::{AllowanceId, Principal, Timestamp};

use crate::entities::egress_allowances;
use crate::{Database, Notice, StorageError, access};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub id: AllowanceId,
    /// The exact `host:port`.
    pub authority: String,
    pub created_at: Timestamp,
}

impl Database {
    /// Allows `authority`; allowing it again changes nothing.
    pub async fn create_allowance(
        &self,
        principal: &Principal,
        authority: &str,
        now: Timestamp,
    ) -> Result<Allowance, StorageError> {
        access::require(principal.egress_allowances())?;
        let row = egress_allowances::ActiveModel {
            id: Set(AllowanceId::generate(now).into()),
            authority: Set(authority.to_owned()),
            created_by: Set(principal.user_id().map(Into::into)),
            created_at: Set(now.as_millis()),
        };
        egress_allowances::Entity::insert(row)
            .on_conflict(OnConflict::column(egress_allowances::Column::Authority).do_nothing().to_owned())
            .exec_without_returning(self.writer())
            .await?;
        let row = egress_allowances::Entity::find()
            .filter(egress_allowances::Column::Authority.eq(authority))
            .one(self.writer())
            .await?
            .ok_or(StorageError::NotFound)?;
        self.notices().publish(Notice::Settings).await;
        Ok(allowance(row))
    }

    pub async fn allowances(&self, principal: &Principal) -> Result<Vec<Allowance>, StorageError> {
        access::require(principal.egress_allowances())?;
        let rows = egress_allowances::Entity::find()
            .order_by_asc(egress_allowances::Column::Authority)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(allowance).collect())
    }

    pub async fn delete_allowance(&self, principal: &Principal, id: AllowanceId) -> Result<(), StorageError> {
        access::require(principal.egress_allowances())?;
        let deleted = egress_allowances::Entity::delete_by_id(id.as_uuid()).exec(self.writer()).await?;
        if deleted.rows_affected == 0 {
            return Err(StorageError::NotFound);
        }
        self.notices().publish(Notice::Settings).await;
        Ok(())
    }
}

fn allowance(row: egress_allowances::Model) -> Allowance {
    Allowance { id: row.id.into(), authority: row.authority, created_at: Timestamp::from_millis(row.created_at) }
}

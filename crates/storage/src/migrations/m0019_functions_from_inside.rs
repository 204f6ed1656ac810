//! Functions that other functions of their owner call.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::boolean;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("access_inside").default(false).take();
        manager.alter_table(Table::alter().table("functions").add_column(column).take()).await
    }
}

//! Which code has been put together with which packages, so that packages go when no code is left that wants them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, boolean, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("function_build_uses")
            .col(text("code"))
            .col(text("key"))
            .col(big_integer_null("unused_since"))
            .primary_key(Index::create().col("code").col("key"))
            .take();
        manager.create_table(table).await?;
        let index = Index::create().name("function_build_uses_key").table("function_build_uses").col("key").take();
        manager.create_index(index).await?;
        // Of what is there, and of what the release before still builds, nobody knows who uses it.
        let known = boolean("uses_known").default(false).take();
        manager.alter_table(Table::alter().table("function_builds").add_column(known).take()).await
    }
}

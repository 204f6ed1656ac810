//! Which models a function may call, and which calls of models were a function's.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns =
            [("functions", text("models").default("\"off\"").take()), ("usage_entries", uuid_null("function_id"))];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        let index = Index::create().name("usage_entries_function_id").table("usage_entries").col("function_id").take();
        manager.create_index(index).await
    }
}

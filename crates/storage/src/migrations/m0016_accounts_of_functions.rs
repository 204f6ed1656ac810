//! Which models a function may call, whose tokens let somebody call it, and which calls of models were a function's.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("functions", text("models").default("\"off\"").take()),
            ("functions", text_null("access_jwt")),
            ("usage_entries", uuid_null("function_id")),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        let index = Index::create().name("usage_entries_function_id").table("usage_entries").col("function_id").take();
        manager.create_index(index).await
    }
}

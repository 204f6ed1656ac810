//! Summaries of old turns, parameters that only one model has, and the calls of a conversation found by their answers.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, boolean, text_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("messages", text_null("summary")),
            ("provider_models", text_null("parameters")),
            ("conversations", boolean("auto_summary").default(true).take()),
            ("conversations", big_integer_null("summarised_at")),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        let by_generation =
            Index::create().name("usage_entries_generation_id").table("usage_entries").col("generation_id").take();
        manager.create_index(by_generation).await
    }
}

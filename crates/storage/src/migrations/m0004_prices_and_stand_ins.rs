//! What models cost and who stands in for them; what calls have cost, and who stood in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time: SQLite adds one column a statement.
        let columns = [
            ("provider_models", text_null("prices")),
            ("provider_models", text_null("stand_in")),
            ("messages", text_null("stand_in")),
            ("usage_entries", big_integer_null("cost")),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        Ok(())
    }
}

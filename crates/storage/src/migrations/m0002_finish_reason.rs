//! Why a model ended an answer, kept with the message.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No CHECK: a release that knows more reasons than this one may write to the same database.
        manager.alter_table(Table::alter().table("messages").add_column(text_null("finish_reason")).take()).await
    }
}

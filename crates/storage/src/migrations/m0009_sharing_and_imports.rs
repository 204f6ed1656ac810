//! What exports and imports walk along: the messages of a conversation by their times.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let by_time = Index::create()
            .name("messages_conversation_id_created_at_id")
            .table("messages")
            .col("conversation_id")
            .col("created_at")
            .col("id")
            .take();
        manager.create_index(by_time).await
    }
}

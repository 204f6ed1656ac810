//! Threads: conversations that begin at a message of another, and go with it. And who answered, where it was not the assistant
//! of the conversation.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, uuid_null};
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let uuid = match manager.get_database_backend() {
            DatabaseBackend::Postgres => "uuid",
            _ => "uuid_text",
        };
        // Both engines add a reference to a table that is there as long as it may be empty; the query builder does not.
        for (column, owner) in [("thread_of", "conversations"), ("source_message_id", "messages")] {
            let add = format!(
                "ALTER TABLE conversations ADD COLUMN {column} {uuid} NULL REFERENCES {owner} (id) ON DELETE CASCADE"
            );
            manager.get_connection().execute_unprepared(&add).await?;
        }
        let with_context = boolean("with_context").default(false).take();
        manager.alter_table(Table::alter().table("conversations").add_column(with_context).take()).await?;
        manager.alter_table(Table::alter().table("messages").add_column(uuid_null("assistant_id")).take()).await?;
        let index = |name: &'static str, column: &'static str| {
            Index::create().name(name).table("conversations").col(column).take()
        };
        manager.create_index(index("conversations_thread_of", "thread_of")).await?;
        manager.create_index(index("conversations_source_message_id", "source_message_id")).await
    }
}

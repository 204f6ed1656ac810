//! Prompts, conversations with an end, messages that can be taken out of their branch and put back, and who has been welcomed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut owner = ForeignKey::create()
            .from("prompts", "owner_id")
            .to("users", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .take();
        let prompts = Table::create()
            .table("prompts")
            .col(uuid("id").primary_key())
            .col(uuid("owner_id"))
            .col(text("profile"))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner)
            .take();
        manager.create_table(prompts).await?;
        let columns = [
            ("conversations", big_integer_null("expires_at")),
            ("messages", big_integer_null("removed_at")),
            ("messages", uuid_null("removed_parent_id")),
            ("messages", uuid_null("moved_from_id")),
            ("messages", text_null("translation")),
            ("users", big_integer_null("welcomed_at")),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        // Whoever is here already knows the way.
        manager.get_connection().execute_unprepared("UPDATE users SET welcomed_at = created_at").await?;
        let index = |name: &'static str, table: &'static str, column: &'static str| {
            Index::create().name(name).table(table).col(column).take()
        };
        manager.create_index(index("prompts_owner_id", "prompts", "owner_id")).await?;
        manager.create_index(index("conversations_expires_at", "conversations", "expires_at")).await?;
        manager.create_index(index("messages_removed_at", "messages", "removed_at")).await?;
        manager.create_index(index("messages_moved_from_id", "messages", "moved_from_id")).await
    }
}

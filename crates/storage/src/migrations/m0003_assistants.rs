//! Assistants, and which of them a conversation is with.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let assistants = Table::create()
            .table("assistants")
            .col(uuid("id").primary_key())
            .col(uuid("owner_id"))
            .col(text("profile"))
            .col(boolean("pinned"))
            .col(big_integer("place"))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .col(big_integer_null("deleted_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("assistants", "owner_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(assistants).await?;
        let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
            let mut index = Index::create().name(name).table(table).take();
            for column in columns {
                index.col(*column);
            }
            index
        };
        manager.create_index(index("assistants_owner_id_place", "assistants", &["owner_id", "place"])).await?;
        manager.create_index(index("assistants_deleted_at", "assistants", &["deleted_at"])).await?;
        // No foreign key: SQLite adds none to a table that is there. What leads nowhere is taken for no assistant.
        let column = Table::alter().table("conversations").add_column(uuid_null("assistant_id")).take();
        manager.alter_table(column).await?;
        manager
            .create_index(index("conversations_assistant_id", "conversations", &["assistant_id", "updated_at"]))
            .await
    }
}

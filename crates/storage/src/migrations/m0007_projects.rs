//! Projects, and what puts conversations in order beside them: tags, and the archive.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let owned_by = |table: &'static str, column: &'static str, owner: &'static str| {
            ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).take()
        };
        let projects = Table::create()
            .table("projects")
            .col(uuid("id").primary_key())
            .col(uuid("owner_id"))
            .col(text("profile"))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owned_by("projects", "owner_id", "users"))
            .take();
        manager.create_table(projects).await?;
        let tags = Table::create()
            .table("conversation_tags")
            .col(uuid("conversation_id"))
            .col(text("tag"))
            .primary_key(Index::create().col("conversation_id").col("tag"))
            .foreign_key(&mut owned_by("conversation_tags", "conversation_id", "conversations"))
            .take();
        manager.create_table(tags).await?;
        // No foreign key: SQLite adds none to a table that is there. What leads nowhere is taken for no project.
        for column in [uuid_null("project_id"), big_integer_null("archived_at")] {
            manager.alter_table(Table::alter().table("conversations").add_column(column).take()).await?;
        }
        let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
            let mut index = Index::create().name(name).table(table).take();
            for column in columns {
                index.col(*column);
            }
            index
        };
        manager.create_index(index("projects_owner_id", "projects", &["owner_id"])).await?;
        manager.create_index(index("conversation_tags_tag", "conversation_tags", &["tag"])).await?;
        manager.create_index(index("conversations_project_id", "conversations", &["project_id", "updated_at"])).await
    }
}

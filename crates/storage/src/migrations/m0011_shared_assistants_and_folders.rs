//! Whom assistants are shared with, the folders that people keep them in, and their pictures.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [shares(), folders(), places()] {
            manager.create_table(table).await?;
        }
        let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
            let mut index = Index::create().name(name).table(table).take();
            for column in columns {
                index.col(*column);
            }
            index
        };
        let once = index("assistant_shares_assistant_id_reach", "assistant_shares", &["assistant_id", "reach"]);
        manager.create_index(once.clone().unique().take()).await?;
        manager.create_index(index("assistant_shares_reach", "assistant_shares", &["reach"])).await?;
        manager.create_index(index("assistant_shares_user_id", "assistant_shares", &["user_id"])).await?;
        manager.create_index(index("assistant_folders_owner_id", "assistant_folders", &["owner_id", "place"])).await?;
        manager.create_index(index("assistant_places_assistant_id", "assistant_places", &["assistant_id"])).await?;
        manager.create_index(index("assistant_places_folder_id", "assistant_places", &["folder_id"])).await?;
        let picture = Table::alter().table("assistants").add_column(text_null("picture")).take();
        manager.alter_table(picture).await?;
        manager.create_index(index("assistants_picture", "assistants", &["picture"])).await?;
        // From now on what leads nowhere was somebody else's. So far everybody had only their own, and what leads nowhere is
        // one of those that have gone.
        let sql = "UPDATE conversations SET assistant_id = NULL WHERE assistant_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM assistants WHERE assistants.id = conversations.assistant_id)";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}

fn shares() -> TableCreateStatement {
    Table::create()
        .table("assistant_shares")
        .col(uuid("id").primary_key())
        .col(uuid("assistant_id"))
        .col(text("reach"))
        .col(uuid_null("user_id"))
        .col(big_integer("created_at"))
        .foreign_key(&mut of("assistant_shares", "assistant_id", "assistants"))
        .foreign_key(&mut of("assistant_shares", "user_id", "users"))
        .take()
}

fn folders() -> TableCreateStatement {
    Table::create()
        .table("assistant_folders")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(boolean("collapsed"))
        .col(big_integer("place"))
        .foreign_key(&mut of("assistant_folders", "owner_id", "users"))
        .take()
}

fn places() -> TableCreateStatement {
    Table::create()
        .table("assistant_places")
        .col(uuid("user_id"))
        .col(uuid("assistant_id"))
        .col(uuid("folder_id"))
        .primary_key(Index::create().col("user_id").col("assistant_id"))
        .foreign_key(&mut of("assistant_places", "user_id", "users"))
        .foreign_key(&mut of("assistant_places", "assistant_id", "assistants"))
        .foreign_key(&mut of("assistant_places", "folder_id", "assistant_folders"))
        .take()
}

fn of(table: &'static str, column: &'static str, whole: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(whole, "id").on_delete(ForeignKeyAction::Cascade).take()
}

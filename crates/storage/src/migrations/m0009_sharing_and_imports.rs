//! Links to conversations, with the pictures that were taken for them; and what exports and imports walk along.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, text, text_null, uuid};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [shares(), shared_messages(), shared_files()] {
            manager.create_table(table).await?;
        }
        let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
            let mut index = Index::create().name(name).table(table).take();
            for column in columns {
                index.col(*column);
            }
            index
        };
        let by_token = index("shares_token_hash", "shares", &["token_hash"]).unique().take();
        manager.create_index(by_token).await?;
        manager.create_index(index("shares_owner_id", "shares", &["owner_id", "created_at"])).await?;
        manager.create_index(index("shares_conversation_id", "shares", &["conversation_id"])).await?;
        manager
            .create_index(index(
                "messages_conversation_id_created_at_id",
                "messages",
                &["conversation_id", "created_at", "id"],
            ))
            .await
    }
}

fn shares() -> TableCreateStatement {
    Table::create()
        .table("shares")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(uuid("conversation_id"))
        .col(blob("token_hash"))
        .col(text("audience").check(Expr::col("audience").is_in(["members", "everyone"])))
        .col(text("title"))
        .col(big_integer("messages"))
        .col(big_integer_null("expires_at"))
        .col(big_integer("created_at"))
        .col(big_integer("taken_at"))
        .foreign_key(&mut owned_by("shares", "owner_id", "users"))
        .foreign_key(&mut owned_by("shares", "conversation_id", "conversations"))
        .take()
}

fn shared_messages() -> TableCreateStatement {
    Table::create()
        .table("shared_messages")
        .col(uuid("share_id"))
        .col(big_integer("place"))
        .col(text("role"))
        .col(text("parts"))
        .col(text_null("model"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("share_id").col("place"))
        .foreign_key(&mut owned_by("shared_messages", "share_id", "shares"))
        .take()
}

/// No foreign key to the files: they stay as long as the messages that show them, and those as long as the link.
fn shared_files() -> TableCreateStatement {
    Table::create()
        .table("shared_files")
        .col(uuid("share_id"))
        .col(uuid("file_id"))
        .primary_key(Index::create().col("share_id").col("file_id"))
        .foreign_key(&mut owned_by("shared_files", "share_id", "shares"))
        .take()
}

fn owned_by(table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).take()
}

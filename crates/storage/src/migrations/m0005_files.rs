//! Files, the messages that show them, and the blobs that they lie in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [files(), message_files(), blobs()] {
            manager.create_table(table).await?;
        }
        let index = |name: &'static str, table: &'static str, column: &'static str| {
            Index::create().name(name).table(table).col(column).take()
        };
        for (name, table, column) in [
            ("files_owner_id", "files", "owner_id"),
            ("files_used_at", "files", "used_at"),
            ("files_digest", "files", "digest"),
            ("files_small_digest", "files", "small_digest"),
            ("message_files_file_id", "message_files", "file_id"),
            ("blobs_touched_at", "blobs", "touched_at"),
        ] {
            manager.create_index(index(name, table, column)).await?;
        }
        Ok(())
    }
}

fn files() -> TableCreateStatement {
    Table::create()
        .table("files")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(text("digest"))
        .col(text_null("small_digest"))
        .col(text("media_type"))
        .col(text("name"))
        .col(big_integer("bytes"))
        .col(big_integer("width"))
        .col(big_integer("height"))
        .col(big_integer("created_at"))
        .col(big_integer("used_at"))
        .foreign_key(&mut owned_by("files", "owner_id", "users"))
        .take()
}

/// No foreign key to the files: whoever removes one looks here first.
fn message_files() -> TableCreateStatement {
    Table::create()
        .table("message_files")
        .col(uuid("message_id"))
        .col(uuid("file_id"))
        .primary_key(Index::create().col("message_id").col("file_id"))
        .foreign_key(&mut owned_by("message_files", "message_id", "messages"))
        .take()
}

fn blobs() -> TableCreateStatement {
    Table::create()
        .table("blobs")
        .col(text("digest").primary_key())
        .col(big_integer("touched_at"))
        .col(big_integer_null("condemned_at"))
        .col(uuid_null("condemned_by"))
        .take()
}

fn owned_by(table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).take()
}

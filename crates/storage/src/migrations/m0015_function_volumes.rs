//! Volumes: folders that functions of one person share. Their files lie on a disk, at the ids of owner and volume.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, text, uuid};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("function_volumes")
            .col(uuid("id").primary_key())
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(text("description"))
            .col(integer("size_mib"))
            .col(big_integer("created_at"))
            .col(big_integer_null("removed_at"))
            // Nobody goes while there are files of theirs.
            .foreign_key(ForeignKey::create().from("function_volumes", "owner_id").to("users", "id"))
            .take();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("function_volumes_owner_id_name")
            .table("function_volumes")
            .col("owner_id")
            .col("name")
            .unique()
            .take();
        manager.create_index(index).await
    }
}

//! Providers that their owner's browser calls, and what a browser has told of its calls.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null, uuid};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut owner = ForeignKey::create()
            .from("personal_providers", "owner_id")
            .to("users", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .take();
        let table = Table::create()
            .table("personal_providers")
            .col(uuid("id").primary_key())
            .col(uuid("owner_id"))
            .col(text("name"))
            .col(text("slug"))
            .col(text("base_url"))
            .col(text_null("api_key"))
            .col(text("models"))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner)
            .take();
        manager.create_table(table).await?;
        let by_slug = Index::create()
            .name("personal_providers_owner_slug")
            .table("personal_providers")
            .col("owner_id")
            .col("slug")
            .unique()
            .take();
        manager.create_index(by_slug).await?;
        let by_browser = boolean("by_browser").default(false).take();
        manager.alter_table(Table::alter().table("usage_entries").add_column(by_browser).take()).await
    }
}

//! What functions had models do is found by its time.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .name("usage_entries_function_id_at")
            .table("usage_entries")
            .col("function_id")
            .col("at")
            .take();
        manager.create_index(index).await?;
        // The new one serves whatever it served.
        manager.drop_index(Index::drop().name("usage_entries_function_id").table("usage_entries").to_owned()).await
    }
}

//! Functions: their code and settings, versions, aliases, secrets, timers, packages, and what they took.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, integer, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [functions(), versions(), aliases(), secrets(), timers(), builds(), usage()] {
            manager.create_table(table).await?;
        }
        let index = |name: &'static str, table: &'static str, column: &'static str| {
            Index::create().name(name).table(table).col(column).take()
        };
        for (name, table, column) in [
            ("functions_owner_id", "functions", "owner_id"),
            ("functions_code", "functions", "code"),
            ("function_versions_code", "function_versions", "code"),
            ("function_timers_function_id", "function_timers", "function_id"),
            ("function_timers_next_at", "function_timers", "next_at"),
            ("function_builds_blob", "function_builds", "blob"),
        ] {
            manager.create_index(index(name, table, column)).await?;
        }
        Ok(())
    }
}

fn functions() -> TableCreateStatement {
    Table::create()
        .table("functions")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(text("name").unique_key())
        .col(text("profile"))
        .col(text("language"))
        .col(text_null("template"))
        .col(big_integer("revision"))
        .col(text("settings"))
        .col(text("code"))
        .col(text("files"))
        .col(big_integer("secrets_revision"))
        .col(text("access"))
        .col(text("access_alias"))
        .col(uuid_null("provider_id"))
        .col(text_null("model_alias"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .foreign_key(&mut of("functions", "owner_id", "users"))
        .foreign_key(
            ForeignKey::create()
                .from("functions", "provider_id")
                .to("providers", "id")
                .on_delete(ForeignKeyAction::SetNull),
        )
        .take()
}

fn versions() -> TableCreateStatement {
    Table::create()
        .table("function_versions")
        .col(uuid("function_id"))
        .col(integer("number"))
        .col(text("digest"))
        .col(text("settings"))
        .col(text("code"))
        .col(text("files"))
        .col(text("note"))
        .col(uuid_null("created_by"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("function_id").col("number"))
        .foreign_key(&mut of("function_versions", "function_id", "functions"))
        .take()
}

fn aliases() -> TableCreateStatement {
    Table::create()
        .table("function_aliases")
        .col(uuid("function_id"))
        .col(text("name"))
        .col(text("route"))
        .col(text_null("sticky"))
        .col(text_null("previous"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("function_id").col("name"))
        .foreign_key(&mut of("function_aliases", "function_id", "functions"))
        .take()
}

fn secrets() -> TableCreateStatement {
    Table::create()
        .table("function_secrets")
        .col(uuid("function_id"))
        .col(text("name"))
        .col(text("sealed"))
        .primary_key(Index::create().col("function_id").col("name"))
        .foreign_key(&mut of("function_secrets", "function_id", "functions"))
        .take()
}

fn timers() -> TableCreateStatement {
    Table::create()
        .table("function_timers")
        .col(uuid("id").primary_key())
        .col(uuid("function_id"))
        .col(text("profile"))
        .col(boolean("enabled"))
        .col(big_integer_null("next_at"))
        .col(text_null("last"))
        .foreign_key(&mut of("function_timers", "function_id", "functions"))
        .take()
}

/// What packages lie in, by what was asked for.
fn builds() -> TableCreateStatement {
    Table::create()
        .table("function_builds")
        .col(text("key"))
        .col(integer("part"))
        .col(text("blob"))
        .col(big_integer("built_at"))
        .primary_key(Index::create().col("key").col("part"))
        .take()
}

/// A row is of one server's life and one minute, and only grows, so that writing it again is no harm.
fn usage() -> TableCreateStatement {
    Table::create()
        .table("function_usage")
        .col(uuid("function_id"))
        .col(integer("version"))
        .col(text("alias"))
        .col(uuid("caller"))
        .col(big_integer("minute"))
        .col(uuid("server"))
        .col(big_integer("calls"))
        .col(big_integer("errors"))
        .col(big_integer("cold_starts"))
        .col(big_integer("duration_us"))
        .col(text("latencies"))
        .col(text("cold"))
        .col(big_integer("cpu_us"))
        .col(big_integer("memory_mib_ms"))
        .primary_key(
            Index::create().col("function_id").col("minute").col("version").col("alias").col("caller").col("server"),
        )
        .foreign_key(&mut of("function_usage", "function_id", "functions"))
        .take()
}

fn of(table: &'static str, column: &'static str, whole: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(whole, "id").on_delete(ForeignKeyAction::Cascade).take()
}

//! The first tables: accounts, providers, conversations with their messages, generations, the usage ledger.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, boolean, text, text_null, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        instances(),
        settings(),
        users(),
        identities(),
        sessions(),
        api_keys(),
        providers(),
        provider_models(),
        egress_allowances(),
        conversations(),
        messages(),
        generations(),
        generation_chunks(),
        usage_entries(),
    ]
}

fn instances() -> TableCreateStatement {
    Table::create()
        .table("instances")
        .col(uuid("id").primary_key())
        .col(text("version"))
        .col(big_integer("started_at"))
        .col(big_integer("heartbeat_at"))
        .take()
}

fn settings() -> TableCreateStatement {
    Table::create().table("settings").col(text("key").primary_key()).col(text("value")).take()
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(text("name"))
        .col(text("email"))
        .col(word("role", &["owner", "admin", "member"]))
        .col(big_integer("epoch"))
        .col(big_integer_null("disabled_at"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("last_seen_at"))
        .take()
}

fn identities() -> TableCreateStatement {
    Table::create()
        .table("identities")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("issuer"))
        .col(text("subject"))
        .col(text_null("password_hash"))
        .col(big_integer("created_at"))
        .foreign_key(&mut owned_by("identities", "user_id", "users"))
        .take()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(blob("token_hash"))
        .col(text("user_agent"))
        .col(text("address"))
        .col(big_integer("created_at"))
        .col(big_integer("last_seen_at"))
        .col(big_integer("expires_at"))
        .foreign_key(&mut owned_by("sessions", "user_id", "users"))
        .take()
}

fn api_keys() -> TableCreateStatement {
    Table::create()
        .table("api_keys")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("name"))
        .col(blob("secret_hash"))
        .col(text("scopes"))
        .col(big_integer("created_at"))
        .col(big_integer_null("expires_at"))
        .col(big_integer_null("last_used_at"))
        .foreign_key(&mut owned_by("api_keys", "user_id", "users"))
        .take()
}

fn providers() -> TableCreateStatement {
    Table::create()
        .table("providers")
        .col(uuid("id").primary_key())
        .col(text("name"))
        .col(text("slug"))
        .col(text("kind"))
        .col(text("base_url"))
        .col(text_null("api_key"))
        .col(boolean("enabled"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .take()
}

fn provider_models() -> TableCreateStatement {
    Table::create()
        .table("provider_models")
        .col(uuid("provider_id"))
        .col(text("name"))
        .col(text_null("display_name"))
        .col(big_integer_null("context_window"))
        .col(text("abilities"))
        .col(boolean("enabled"))
        .col(big_integer("position"))
        .primary_key(Index::create().col("provider_id").col("name"))
        .foreign_key(&mut owned_by("provider_models", "provider_id", "providers"))
        .take()
}

fn egress_allowances() -> TableCreateStatement {
    Table::create()
        .table("egress_allowances")
        .col(uuid("id").primary_key())
        .col(text("authority"))
        .col(uuid_null("created_by"))
        .col(big_integer("created_at"))
        .take()
}

fn conversations() -> TableCreateStatement {
    Table::create()
        .table("conversations")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(text("title"))
        .col(text("title_folded"))
        .col(boolean("titled"))
        .col(boolean("pinned"))
        .col(text_null("model"))
        .col(text("parameters"))
        .col(text("role"))
        .col(uuid_null("leaf_id"))
        .col(big_integer("answered_at"))
        .col(big_integer("read_at"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("deleted_at"))
        .foreign_key(&mut owned_by("conversations", "owner_id", "users"))
        .take()
}

fn messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(uuid("id").primary_key())
        .col(uuid("conversation_id"))
        .col(uuid_null("parent_id"))
        .col(word("role", &["system", "user", "assistant"]))
        .col(text("parts"))
        .col(word("status", &["running", "complete", "stopped", "interrupted", "failed"]))
        .col(text_null("model"))
        .col(text_null("parameters"))
        .col(uuid_null("generation_id"))
        .col(text_null("usage"))
        .col(text_null("timings"))
        .col(text_null("error"))
        .col(big_integer("created_at"))
        .foreign_key(&mut owned_by("messages", "conversation_id", "conversations"))
        .take()
}

fn generations() -> TableCreateStatement {
    Table::create()
        .table("generations")
        .col(uuid("id").primary_key())
        .col(uuid("conversation_id"))
        .col(uuid("message_id"))
        .col(uuid("user_id"))
        .col(text("model"))
        .col(word("state", &["running", "complete", "stopped", "interrupted", "failed"]))
        .col(uuid("owner_id"))
        .col(big_integer("epoch"))
        .col(boolean("stop_requested"))
        .col(big_integer("last_seq"))
        .col(big_integer("started_at"))
        .col(big_integer_null("finished_at"))
        .foreign_key(&mut owned_by("generations", "conversation_id", "conversations"))
        .take()
}

fn generation_chunks() -> TableCreateStatement {
    Table::create()
        .table("generation_chunks")
        .col(uuid("generation_id"))
        .col(big_integer("first_seq"))
        .col(big_integer("last_seq"))
        .col(blob("data"))
        .primary_key(Index::create().col("generation_id").col("first_seq"))
        .foreign_key(&mut owned_by("generation_chunks", "generation_id", "generations"))
        .take()
}

fn usage_entries() -> TableCreateStatement {
    Table::create()
        .table("usage_entries")
        .col(uuid("id").primary_key())
        .col(big_integer("at"))
        .col(uuid_null("user_id"))
        .col(uuid_null("api_key_id"))
        .col(uuid_null("generation_id"))
        .col(text("model"))
        .col(uuid_null("provider_id"))
        .col(text("outcome"))
        .col(big_integer("prompt_tokens"))
        .col(big_integer("completion_tokens"))
        .col(big_integer("cached_tokens"))
        .col(big_integer("reasoning_tokens"))
        .col(big_integer_null("first_token_ms"))
        .col(big_integer("total_ms"))
        .take()
}

/// A text column that holds one of a few words.
fn word(name: &'static str, words: &[&'static str]) -> ColumnDef {
    text(name).check(Expr::col(name).is_in(words.iter().copied())).take()
}

fn owned_by(table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        unique("identities", &["issuer", "subject"]),
        index("identities", &["user_id"]),
        unique("sessions", &["token_hash"]),
        index("sessions", &["user_id"]),
        index("api_keys", &["user_id"]),
        unique("providers", &["slug"]),
        unique("egress_allowances", &["authority"]),
        index("conversations", &["owner_id", "updated_at", "id"]),
        index("conversations", &["deleted_at"]),
        index("messages", &["conversation_id", "parent_id"]),
        index("messages", &["parent_id"]),
        index("generations", &["state", "owner_id"]),
        index("generations", &["conversation_id"]),
        index("usage_entries", &["at"]),
        index("usage_entries", &["user_id", "at"]),
    ]
}

fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(format!("{table}_{}", columns.join("_"))).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index(table, columns).unique().take()
}

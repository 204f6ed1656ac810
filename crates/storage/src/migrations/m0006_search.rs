//! The index of titles and messages, and the list of what is not in it yet.
//!
//! Triggers put everything that is written on that list, whichever version of Stoa writes it. This version indexes in the
//! transaction that writes and takes the row off again; what another version wrote, or was there before, is indexed by
//! [`Database::index_pending`](crate::Database::index_pending).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, uuid, uuid_null};
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(entries()).await?;
        manager
            .create_index(
                Index::create()
                    .name("search_entries_message_id")
                    .table("search_entries")
                    .col("message_id")
                    .unique()
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("search_entries_conversation_id")
                    .table("search_entries")
                    .col("conversation_id")
                    .col("message_id")
                    .take(),
            )
            .await?;
        let pending =
            Table::create().table("search_pending").col(uuid("id").primary_key()).col(boolean("title")).take();
        manager.create_table(pending).await?;
        let own = match manager.get_database_backend() {
            DatabaseBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        for statement in own.iter().chain(FILL) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// One title or message that is indexed. Without a message it is the title. `id` sorts by the time of what it stands for.
fn entries() -> TableCreateStatement {
    let owned_by = |column: &'static str, owner: &'static str| {
        ForeignKey::create().from("search_entries", column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).take()
    };
    Table::create()
        .table("search_entries")
        .col(big_integer("id").primary_key())
        .col(uuid("conversation_id"))
        .col(uuid_null("message_id"))
        .foreign_key(&mut owned_by("conversation_id", "conversations"))
        .foreign_key(&mut owned_by("message_id", "messages"))
        .take()
}

/// The tokens come ready from Rust, apart by spaces: the tokeniser `ascii` takes any other letter as it is. Neither order
/// nor text is kept; beginnings of two and three letters have lists of their own, for words that are still being typed. A row
/// that goes, also by a cascade, takes its tokens along.
const SQLITE: &[&str] = &[
    "CREATE VIRTUAL TABLE search_index USING fts5(\
     tokens, content = '', contentless_delete = 1, detail = 'none', prefix = '2 3', tokenize = 'ascii')",
    "CREATE TRIGGER search_entries_deleted AFTER DELETE ON search_entries BEGIN \
     DELETE FROM search_index WHERE rowid = old.id; END",
    "CREATE TRIGGER messages_written AFTER INSERT ON messages WHEN new.status <> 'running' BEGIN \
     INSERT OR IGNORE INTO search_pending (id, title) VALUES (new.id, FALSE); END",
    "CREATE TRIGGER messages_changed AFTER UPDATE OF parts, status ON messages WHEN new.status <> 'running' BEGIN \
     INSERT OR IGNORE INTO search_pending (id, title) VALUES (new.id, FALSE); END",
    "CREATE TRIGGER conversations_made AFTER INSERT ON conversations WHEN new.title <> '' BEGIN \
     INSERT OR IGNORE INTO search_pending (id, title) VALUES (new.id, TRUE); END",
    "CREATE TRIGGER conversations_titled AFTER UPDATE OF title ON conversations WHEN new.title <> old.title BEGIN \
     INSERT OR IGNORE INTO search_pending (id, title) VALUES (new.id, TRUE); END",
];

/// A row of the list that is there already is locked all the same (`DO UPDATE`), so that whoever indexes meanwhile leaves it
/// to the next round instead of taking it off before this change is to be seen.
const POSTGRES: &[&str] = &[
    "ALTER TABLE search_entries ADD COLUMN tokens tsvector NOT NULL",
    "CREATE INDEX search_entries_tokens ON search_entries USING gin (tokens)",
    "CREATE FUNCTION stoa_search_pending() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO search_pending (id, title) VALUES (new.id, TG_ARGV[0]::boolean) \
     ON CONFLICT (id) DO UPDATE SET title = excluded.title; RETURN NULL; END $$",
    "CREATE TRIGGER messages_written AFTER INSERT ON messages FOR EACH ROW \
     WHEN (new.status <> 'running') EXECUTE FUNCTION stoa_search_pending('false')",
    "CREATE TRIGGER messages_changed AFTER UPDATE OF parts, status ON messages FOR EACH ROW \
     WHEN (new.status <> 'running') EXECUTE FUNCTION stoa_search_pending('false')",
    "CREATE TRIGGER conversations_made AFTER INSERT ON conversations FOR EACH ROW \
     WHEN (new.title <> '') EXECUTE FUNCTION stoa_search_pending('true')",
    "CREATE TRIGGER conversations_titled AFTER UPDATE OF title ON conversations FOR EACH ROW \
     WHEN (new.title <> old.title) EXECUTE FUNCTION stoa_search_pending('true')",
];

/// What the release before has written.
const FILL: &[&str] = &[
    "INSERT INTO search_pending (id, title) SELECT id, FALSE FROM messages WHERE status <> 'running'",
    "INSERT INTO search_pending (id, title) SELECT id, TRUE FROM conversations WHERE title <> ''",
];

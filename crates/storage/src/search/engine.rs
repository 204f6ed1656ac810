//! What the two engines do differently: where tokens are kept, and how texts are found by them.

use std::collections::BTreeSet;

use sea_orm::sea_query::{
    Alias, ColumnRef, Condition, Expr, ExprTrait as _, IntoColumnRef as _, JoinType, Query, SelectStatement,
};
use sea_orm::{DatabaseBackend, Statement, Value};
use uuid::Uuid;

use super::query::Wanted;
use crate::Engine;
use crate::entities::search_entries::{Column, Entity};

/// One title or message with the tokens that find it.
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) conversation: Uuid,
    /// None: the title.
    pub(super) message: Option<Uuid>,
    /// Apart by spaces.
    pub(super) tokens: String,
}

/// An index of tokens without order, beside the table of entries.
pub(super) trait TokenIndex: Send + Sync {
    /// Adds those entries whose id is free.
    fn add(&self, entries: &[Entry]) -> Statement;

    /// Adds the tokens of entries that were added, where they are not a column of theirs.
    fn add_tokens(&self, entries: &[&Entry]) -> Option<Statement>;

    /// Gives an entry that is there other tokens.
    fn replace(&self, id: i64, tokens: &str) -> Vec<Statement>;

    /// The entries that have all of these tokens.
    fn entries_with(&self, wanted: &BTreeSet<Wanted>) -> SelectStatement;

    /// By what [`Self::entries_with`] is bounded and put in order.
    fn place(&self) -> ColumnRef;
}

pub(super) fn of(engine: Engine) -> &'static dyn TokenIndex {
    match engine {
        Engine::Sqlite => &Fts5,
        Engine::Postgres => &TsVector,
    }
}

/// SQLite: a contentless table of FTS5.
struct Fts5;

impl TokenIndex for Fts5 {
    fn add(&self, entries: &[Entry]) -> Statement {
        let values = entries.iter().flat_map(keys);
        let sql = format!(
            "INSERT INTO search_entries (id, conversation_id, message_id) VALUES {} ON CONFLICT (id) DO NOTHING",
            vec!["(?, ?, ?)"; entries.len()].join(", ")
        );
        Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values)
    }

    fn add_tokens(&self, entries: &[&Entry]) -> Option<Statement> {
        let values = entries.iter().flat_map(|entry| [entry.id.into(), entry.tokens.as_str().into()]);
        let sql =
            format!("INSERT INTO search_index (rowid, tokens) VALUES {}", vec!["(?, ?)"; entries.len()].join(", "));
        (!entries.is_empty()).then(|| Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values))
    }

    fn replace(&self, id: i64, tokens: &str) -> Vec<Statement> {
        let statement =
            |sql: &str, values: Vec<Value>| Statement::from_sql_and_values(DatabaseBackend::Sqlite, sql, values);
        vec![
            statement("DELETE FROM search_index WHERE rowid = ?", vec![id.into()]),
            statement("INSERT INTO search_index (rowid, tokens) VALUES (?, ?)", vec![id.into(), tokens.into()]),
        ]
    }

    fn entries_with(&self, wanted: &BTreeSet<Wanted>) -> SelectStatement {
        let all = wanted.iter().map(|wanted| match wanted {
            Wanted::Token(token) => format!("\"{token}\""),
            Wanted::Beginning(token) => format!("\"{token}\"*"),
        });
        let expression = all.collect::<Vec<_>>().join(" AND ");
        Query::select()
            .from("search_index")
            // A cross join is not turned round: the index leads, newest first, and stops as soon as there are enough.
            .join(JoinType::CrossJoin, Entity, Condition::all())
            .and_where(Expr::col((Entity, Column::Id)).equals(self.place()))
            .and_where(Expr::cust_with_values("search_index MATCH ?", [expression]))
            .take()
    }

    fn place(&self) -> ColumnRef {
        (Alias::new("search_index"), Alias::new("rowid")).into_column_ref()
    }
}

/// PostgreSQL: a column with a GIN index.
struct TsVector;

impl TokenIndex for TsVector {
    fn add(&self, entries: &[Entry]) -> Statement {
        let values = entries.iter().flat_map(|entry| {
            let [id, conversation, message] = keys(entry);
            [id, conversation, message, entry.tokens.as_str().into()]
        });
        let rows: Vec<String> = (0..entries.len())
            .map(|row| {
                let [id, conversation, message, tokens] = [1, 2, 3, 4].map(|column| row * 4 + column);
                format!("(${id}, ${conversation}, ${message}, array_to_tsvector(string_to_array(${tokens}, ' ')))")
            })
            .collect();
        let sql = format!(
            "INSERT INTO search_entries (id, conversation_id, message_id, tokens) VALUES {} ON CONFLICT (id) DO NOTHING",
            rows.join(", ")
        );
        Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, values)
    }

    fn add_tokens(&self, _: &[&Entry]) -> Option<Statement> {
        None
    }

    fn replace(&self, id: i64, tokens: &str) -> Vec<Statement> {
        let sql = "UPDATE search_entries SET tokens = array_to_tsvector(string_to_array($2, ' ')) WHERE id = $1";
        vec![Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [id.into(), tokens.into()])]
    }

    fn entries_with(&self, wanted: &BTreeSet<Wanted>) -> SelectStatement {
        let all = wanted.iter().map(|wanted| match wanted {
            Wanted::Token(token) => format!("'{token}'"),
            Wanted::Beginning(token) => format!("'{token}':*"),
        });
        let expression = all.collect::<Vec<_>>().join(" & ");
        Query::select()
            .from(Entity)
            .and_where(Expr::cust_with_values("search_entries.tokens @@ $1::tsquery", [expression]))
            .take()
    }

    fn place(&self) -> ColumnRef {
        (Entity, Column::Id).into_column_ref()
    }
}

fn keys(entry: &Entry) -> [Value; 3] {
    [entry.id.into(), entry.conversation.into(), entry.message.into()]
}

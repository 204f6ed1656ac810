//! What can go wrong between a repository and its database.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The row is not there, or not this principal's to see.
    #[error("not found")]
    NotFound,
    /// A unique value is taken; names the constraint as the domain calls it.
    #[error("`{0}` is taken")]
    Taken(&'static str),
    /// The change would break a rule that the database keeps (such as the last owner leaving).
    #[error("{0}")]
    Refused(&'static str),
    /// The principal may see the row, but may not do this.
    #[error("not allowed")]
    Forbidden,
    /// The database cannot be reached now, or is out of space; trying again later may help.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
    /// A search was given up.
    #[error("the search took too long")]
    TooSlow,
    /// A stored row does not fit the model.
    #[error("the row {row} of `{table}` holds an impossible `{column}`")]
    Inconsistent { table: &'static str, column: &'static str, row: String },
    #[error("a sealed value cannot be opened")]
    Sealed(#[from] crate::SealError),
    #[error("the database refused a statement")]
    Database(#[source] DbErr),
}

impl From<DbErr> for StorageError {
    fn from(error: DbErr) -> Self {
        if is_unavailable(&error) {
            Self::Unavailable(error)
        } else if is_cancelled(&error) {
            Self::TooSlow
        } else {
            Self::Database(error)
        }
    }
}

impl StorageError {
    /// Turns a broken unique constraint into [`StorageError::Taken`].
    pub(crate) fn taken(what: &'static str) -> impl Fn(DbErr) -> Self {
        move |error| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Taken(what),
            _ => Self::from(error),
        }
    }

    pub(crate) fn inconsistent(table: &'static str, column: &'static str, row: impl std::fmt::Display) -> Self {
        Self::Inconsistent { table, column, row: row.to_string() }
    }
}

/// PostgreSQL has given a statement up for its time (57014). Only searches have one.
fn is_cancelled(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == "57014"))
        }
        _ => false,
    }
}

fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => true,
            sqlx::Error::Database(error) => {
                // PostgreSQL: connection trouble (08), out of resources (53), shutting down or starting (57P).
                // SQLite: busy (5), read-only (8), I/O (10), full (13), cannot open (14); extended codes keep these low.
                error.code().is_some_and(|code| {
                    code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57P")
                        || code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 8 | 10 | 13 | 14))
                            && code.len() != 5
                })
            }
            _ => false,
        },
        _ => false,
    }
}

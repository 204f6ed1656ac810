//! One database, either engine: how it is opened, migrated and written to.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector,
    TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait as _;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::migrations::Migrations;
use crate::notices::Notices;
use crate::{MasterKey, SealError, StorageError};

/// How long a request waits for a connection before it is told that the database is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Searches that run at once: they are the longest reads, and leave connections to the others.
const SEARCHES: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A handle on the database; clones share its connections.
///
/// SQLite has one writer connection and a pool of readers, so that a long read never makes a write wait and two writes
/// never meet. PostgreSQL has one pool for both.
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    key: MasterKey,
    notices: Notices,
    searches: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("`{0}` is not a database URL; use sqlite:///path/to/file or postgres://user@host/name")]
    MalformedUrl(String),
    #[error("the directory {} cannot be made", .path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the file {} cannot be made", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the database cannot be opened")]
    Connect(#[source] sea_orm::sqlx::Error),
    #[error("the database cannot be brought up to date")]
    Migrate(#[source] DbErr),
    #[error("the master key is not the one that this database was made with")]
    WrongMasterKey,
    #[error("the database cannot be read")]
    Storage(#[source] StorageError),
}

impl Database {
    /// Opens the database at `url`, brings its tables up to date and proves that `key` is the one its secrets are
    /// sealed under. `tracker` runs the feed of notices until shutdown.
    pub async fn open(url: &str, key: MasterKey, tracker: &TaskTracker) -> Result<Self, OpenError> {
        let (engine, writer, reader) = if let Some(path) = url.strip_prefix("sqlite://") {
            let (writer, reader) = open_sqlite(path).await?;
            (Engine::Sqlite, writer, reader)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = open_postgres(url).await?;
            (Engine::Postgres, pool.clone(), pool)
        } else {
            return Err(OpenError::MalformedUrl(without_password(url)));
        };
        Migrations::up(&writer, None).await.map_err(OpenError::Migrate)?;
        let notices = match engine {
            Engine::Sqlite => Notices::in_process(),
            Engine::Postgres => Notices::listen(writer.get_postgres_connection_pool().clone(), tracker),
        };
        let database = Self { engine, writer, reader, key, notices, searches: Arc::new(Semaphore::new(SEARCHES)) };
        database.check_master_key().await?;
        Ok(database)
    }

    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Changes that other parts of the server, and other replicas, must hear of.
    pub const fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.reader.ping().await.map_err(StorageError::from)
    }

    pub async fn close(&self) {
        for connection in [self.reader.clone(), self.writer.clone()] {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing the database failed");
            }
        }
    }

    pub(crate) const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    pub(crate) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    pub(crate) fn searches(&self) -> &Semaphore {
        &self.searches
    }

    pub(crate) const fn key(&self) -> &MasterKey {
        &self.key
    }

    /// A write transaction. On SQLite it takes the write lock at once, so that it never fails half-way for being late.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    async fn check_master_key(&self) -> Result<(), OpenError> {
        match self.verify_master_key().await {
            Ok(()) => Ok(()),
            Err(StorageError::Sealed(SealError::WrongKey)) => Err(OpenError::WrongMasterKey),
            Err(error) => Err(OpenError::Storage(error)),
        }
    }
}

async fn open_sqlite(path: &str) -> Result<(DatabaseConnection, DatabaseConnection), OpenError> {
    let path = PathBuf::from(path);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)
            .map_err(|source| OpenError::Directory { path: directory.to_path_buf(), source })?;
    }
    make_private(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(ACQUIRE_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", "-8000")
        .statement_cache_capacity(256);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(OpenError::Connect)?;
    let reader = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .connect_lazy_with(options.pragma("query_only", "on"));
    Ok((SqlxSqliteConnector::from_sqlx_sqlite_pool(writer), SqlxSqliteConnector::from_sqlx_sqlite_pool(reader)))
}

/// Makes the file, if there is none, for its owner's eyes only. What SQLite puts beside it gets the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn open_postgres(url: &str) -> Result<DatabaseConnection, OpenError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| OpenError::MalformedUrl(without_password(url)))?
        .application_name("stoa");
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// The URL without what stands between `:` and `@`, fit for a log.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            let user = &url[scheme + 3..at];
            let user = user.split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows_in_an_error() {
        assert_eq!(without_password("mysql://stoa:pass:w@rd@db/x"), "mysql://stoa@db/x");
        assert_eq!(without_password("nonsense"), "nonsense");
    }
}

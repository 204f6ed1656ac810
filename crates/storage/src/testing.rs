//! A database of its own for every test, on both engines.

#![expect(clippy::expect_used, reason = "a test without its database fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::sqlx::{self, Connection as _, PgConnection};
use stoa_model::{Clock as _, SystemClock};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{Database, Engine, MasterKey};

/// An open database that goes away with the test.
pub struct TestDatabase {
    pub database: Database,
    /// To open the same database again, as another replica would.
    pub url: String,
    pub key: MasterKey,
    pub tracker: TaskTracker,
    _directory: Option<Arc<tempfile::TempDir>>,
}

impl TestDatabase {
    /// Opens an empty database. For PostgreSQL, `STOA_TEST_POSTGRES` names a server where databases may be made.
    pub async fn open(engine: Engine) -> Self {
        let (url, directory) = match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().expect("a temporary directory");
                let path = directory.path().join("stoa.db");
                (format!("sqlite://{}", path.display()), Some(Arc::new(directory)))
            }
            Engine::Postgres => (create_postgres_database().await, None),
        };
        let key = MasterKey::generate();
        let tracker = TaskTracker::new();
        let database = Database::open(&url, key.clone(), &tracker).await.expect("the test database opens");
        Self { database, url, key, tracker, _directory: directory }
    }

    /// A second handle on the same database, with connections of its own.
    pub async fn open_again(&self) -> Database {
        Database::open(&self.url, self.key.clone(), &self.tracker).await.expect("the test database opens again")
    }
}

/// Makes an empty database on the test server and returns its URL.
pub async fn create_postgres_database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("STOA_TEST_POSTGRES")
        .expect("STOA_TEST_POSTGRES names the PostgreSQL server for tests; `./x test` starts one");
    let stamp = Uuid::from(stoa_model::InstanceId::generate(SystemClock.now())).simple().to_string();
    let name = format!("stoa_test_{stamp}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    let create = format!("CREATE DATABASE {name}");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.expect("a database is made");
    match server.rfind('/') {
        Some(slash) => {
            let query = server[slash..].find('?').map_or("", |mark| &server[slash + mark..]);
            format!("{}/{name}{query}", &server[..slash])
        }
        None => server,
    }
}

/// Runs an async test body once on SQLite and once on PostgreSQL, as two tests.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($test:ident: TestDatabase) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($test: $crate::testing::TestDatabase) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$attribute])*
            async fn sqlite() {
                body($crate::testing::TestDatabase::open($crate::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$attribute])*
            async fn postgres() {
                body($crate::testing::TestDatabase::open($crate::Engine::Postgres).await).await;
            }
        }
    )+};
}

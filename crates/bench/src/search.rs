//! `search`: a million messages on both engines, and what typical searches take in them, beside a scan of the same rows.

mod fill;
mod text;

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use stoa_model::Principal;
use stoa_storage::{Database, Engine, SearchFilter, SearchQuery};

use crate::report::{Better, Line, Report, float, median, percentile};
use fill::Filled;

pub(crate) const MESSAGES: u64 = 1_000_000;
/// When all benches are run at once, within the time of all.
pub(crate) const FEW_MESSAGES: u64 = 100_000;
/// Searches of each kind; scans are slow and always the same.
const RUNS: usize = 40;
const SCANS: usize = 3;
const PAGE: usize = 20;

/// A kind of search: what is asked for, and what the scan looks for in its place.
struct Query {
    /// Cases of the median and of the 95th percentile, on SQLite and on PostgreSQL.
    cases: [[&'static str; 2]; 2],
    words: &'static str,
    scanned: &'static [&'static str],
}

const QUERIES: [Query; 7] = [
    Query {
        cases: [["sqlite-rare-p50", "sqlite-rare-p95"], ["postgres-rare-p50", "postgres-rare-p95"]],
        words: text::RARE,
        scanned: &[text::RARE],
    },
    Query {
        cases: [["sqlite-common-p50", "sqlite-common-p95"], ["postgres-common-p50", "postgres-common-p95"]],
        words: "ba ",
        scanned: &["ba "],
    },
    Query {
        cases: [["sqlite-prefix-p50", "sqlite-prefix-p95"], ["postgres-prefix-p50", "postgres-prefix-p95"]],
        words: "duk",
        scanned: &["duk"],
    },
    Query {
        cases: [["sqlite-two-words-p50", "sqlite-two-words-p95"], ["postgres-two-words-p50", "postgres-two-words-p95"]],
        words: "ba dukiba ",
        scanned: &["ba ", "dukiba "],
    },
    Query {
        cases: [["sqlite-phrase-p50", "sqlite-phrase-p95"], ["postgres-phrase-p50", "postgres-phrase-p95"]],
        words: "\"ba be\"",
        scanned: &["ba be "],
    },
    Query {
        cases: [["sqlite-chinese-p50", "sqlite-chinese-p95"], ["postgres-chinese-p50", "postgres-chinese-p95"]],
        words: "机器学习",
        scanned: &["机器学习"],
    },
    Query {
        cases: [["sqlite-none-p50", "sqlite-none-p95"], ["postgres-none-p50", "postgres-none-p95"]],
        words: "nowhere ",
        scanned: &["nowhere "],
    },
];

/// Fills both engines with `messages` and measures. PostgreSQL is at `STOA_TEST_POSTGRES`.
pub(crate) async fn run(messages: u64, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let sqlite = format!("sqlite://{}", directory.path().join("stoa.db").display());
    measure(&sqlite, messages, report).await?;
    let postgres = std::env::var("STOA_TEST_POSTGRES").context("STOA_TEST_POSTGRES names no PostgreSQL server")?;
    let (postgres, name) = fill::make_postgres(&postgres).await?;
    let done = measure(&postgres, messages, report).await;
    fill::drop_postgres(&postgres, &name).await?;
    done
}

async fn measure(url: &str, messages: u64, report: &mut Report) -> anyhow::Result<()> {
    let begun = Instant::now();
    let filled = Filled::with(url, messages).await?;
    Report::say(&format!("search: {messages} messages written in {:.1} s", begun.elapsed().as_secs_f64()));
    let begun = Instant::now();
    while filled.database.index_pending(500).await? > 0 {}
    let seconds = begun.elapsed().as_secs_f64();
    let (at, case) = match filled.database.engine() {
        Engine::Sqlite => (0, "sqlite-back-fill"),
        Engine::Postgres => (1, "postgres-back-fill"),
    };
    let rate = float(messages) / seconds;
    let target = ("target", 2_000.0);
    report.add(&Line::new(case, (rate, "messages/s"), target, Better::Higher, 1).of("search"))?;
    filled.settle().await?;
    for query in &QUERIES {
        let words = SearchQuery::parse(query.words)?;
        let mut found = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            found.push(search(&filled.database, &filled.person, &words).await?);
        }
        let mut scanned = Vec::with_capacity(SCANS);
        for _ in 0..SCANS {
            scanned.push(scan(&filled.connection, &filled.person, query.scanned).await?);
        }
        let scanned = median(&scanned);
        let [middle, slow] = query.cases[at];
        for (case, value) in [(middle, median(&found)), (slow, percentile(&found, 0.95))] {
            report.add(&Line::new(case, (value, "ms"), ("LIKE scan", scanned), Better::Lower, RUNS).of("search"))?;
        }
    }
    filled.database.close().await;
    Ok(())
}

async fn search(database: &Database, person: &Principal, words: &SearchQuery) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let page = database.search(person, words, &SearchFilter::default(), None, PAGE).await?;
    anyhow::ensure!(page.complete, "not everything is indexed");
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}

/// What one would do without an index: the newest twenty of one's own that contain the letters.
async fn scan(connection: &DatabaseConnection, person: &Principal, letters: &[&str]) -> anyhow::Result<f64> {
    let backend = connection.get_database_backend();
    let person = person.user_id().context("a search has a person")?;
    let mut values = vec![person.as_uuid().into()];
    let mut sql = "SELECT messages.id FROM messages JOIN conversations ON conversations.id = messages.conversation_id \
        WHERE conversations.owner_id = $1"
        .to_owned();
    for letters in letters {
        values.push(format!("%{letters}%").into());
        let _ = write!(sql, " AND messages.parts LIKE ${}", values.len());
    }
    sql += " ORDER BY messages.created_at DESC LIMIT 20";
    let begun = Instant::now();
    connection.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}

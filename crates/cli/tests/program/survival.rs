//! What was acknowledged survives: `kill -9` in mid-answer, a database that goes away and comes back, two replicas.

use std::time::Duration;

use crate::support::{Browser, Server};
use http::Method;
use sea_orm::sqlx::{self, Connection as _, PgConnection, Row as _, SqliteConnection};
use serde_json::json;
use stoa_mock_openai::{Mock, MockServer};
use stoa_storage::MasterKey;
use stoa_storage::testing::create_postgres_database;

/// What the mock's counter says.
fn counted(tokens: usize) -> String {
    let words: Vec<String> = (0..tokens).map(|i| i.to_string()).collect();
    words.join(" ")
}

fn text(answer: &serde_json::Value) -> String {
    answer["parts"].as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect()
}

async fn mock() -> (MockServer, String) {
    let mock = Mock::start().await.unwrap();
    let authority = mock.base_url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    (mock, authority)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_mid_answer_loses_nothing_that_was_seen_a_moment_before() {
    let (mock, authority) = mock().await;
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STOA_DATA_DIR", directory.path().to_str().unwrap()), ("STOA_EGRESS_ALLOW", &authority)];
    let server = Server::start(&variables);
    let browser = Browser::sign_in(server.address).await;
    browser.add_mock(&mock.base_url(), "counter;rate=50;tokens=400").await;
    let turn = browser.begin("counter;rate=50;tokens=400").await;
    let mut events = browser.follow(&turn, 0).await;
    events.until(60).await;
    let seen = events.text.clone();
    // The promise: on disk at most 250 ms after it went out. The machine may be busy, so twice that.
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.kill();
    drop(events);

    let server = Server::start(&variables);
    let browser = browser.at(server.address);
    let answer = browser.settled(&turn, Duration::from_secs(20)).await;
    assert_eq!(answer["status"], "interrupted");
    let kept = text(&answer);
    assert!(kept.starts_with(&seen), "lost: {kept} has less than {seen}");
    assert!(counted(400).starts_with(kept.trim_end()));
    // Whoever was reading further than the log went is put right.
    let mut events = browser.follow(&turn, 9_999).await;
    while events.next().await.is_some() {}
    assert_eq!(events.text, kept);
    let path = format!("/api/v1/messages/{}/continue", turn["reply_id"].as_str().unwrap());
    browser.post(&path, json!({})).await;
    let answer = browser.settled(&turn, Duration::from_secs(30)).await;
    assert_eq!((answer["status"].as_str(), text(&answer)), (Some("complete"), format!("{kept}{}", counted(400))));
    assert_eq!(answer["finish_reason"], "stop");

    // Both calls are in the ledger, the one whose server died, too, and the other as soon as its answer is kept.
    server.kill();
    let file = format!("sqlite://{}", directory.path().join("stoa.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let rows = sqlx::query("SELECT outcome, completion_tokens FROM usage_entries ORDER BY id");
    let rows = rows.fetch_all(&mut database).await.unwrap();
    let calls: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(calls, [("interrupted".to_owned(), 0), ("stop".to_owned(), 400)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_follow_and_stop_each_others_answers_and_outlive_each_other() {
    let (mock, authority) = mock().await;
    let url = create_postgres_database().await;
    let key = MasterKey::generate().to_hex();
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |index: usize| {
        Server::start(&[
            ("STOA_DATA_DIR", directories[index].path().to_str().unwrap()),
            ("STOA_DATABASE_URL", &url),
            ("STOA_MASTER_KEY", &key),
            ("STOA_EGRESS_ALLOW", &authority),
        ])
    };
    let (here, there) = (start(0), start(1));
    let browser = Browser::sign_in(here.address).await;
    let elsewhere = browser.at(there.address);
    browser.add_mock(&mock.base_url(), "counter;rate=50;tokens=2000").await;

    // Begun here, followed and stopped there. The other replica knows the provider by word of mouth.
    let turn = browser.begin("counter;rate=50;tokens=2000").await;
    let mut events = elsewhere.follow(&turn, 0).await;
    events.until(40).await;
    let path = format!("/api/v1/generations/{}", turn["generation_id"].as_str().unwrap());
    let (status, ..) = elsewhere.send(Method::DELETE, &path, None).await;
    assert_eq!(status, http::StatusCode::NO_CONTENT);
    while events.next().await.is_some() {}
    let answer = elsewhere.settled(&turn, Duration::from_secs(5)).await;
    assert_eq!((answer["status"].as_str(), text(&answer)), (Some("stopped"), events.text.clone()));

    // Begun here, followed there, and its owner killed: interrupted when the lease ends, and continued there.
    let turn = browser.begin("counter;rate=50;tokens=2000").await;
    let mut events = elsewhere.follow(&turn, 0).await;
    events.until(40).await;
    here.kill();
    while events.next().await.is_some() {}
    let answer = elsewhere.settled(&turn, Duration::from_secs(5)).await;
    assert_eq!((answer["status"].as_str(), text(&answer)), (Some("interrupted"), events.text.clone()));
    let path = format!("/api/v1/messages/{}/continue", turn["reply_id"].as_str().unwrap());
    let more = elsewhere.post(&path, json!({})).await;
    assert_eq!(more["reply_id"], turn["reply_id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_while_the_database_is_away_and_is_whole_when_it_is_back() {
    let (mock, authority) = mock().await;
    let url = create_postgres_database().await;
    let key = MasterKey::generate().to_hex();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[
        ("STOA_DATA_DIR", directory.path().to_str().unwrap()),
        ("STOA_DATABASE_URL", &url),
        ("STOA_MASTER_KEY", &key),
        ("STOA_EGRESS_ALLOW", &authority),
    ]);
    let browser = Browser::sign_in(server.address).await;
    browser.add_mock(&mock.base_url(), "counter;rate=50;tokens=300").await;
    let turn = browser.begin("counter;rate=50;tokens=300").await;
    let mut events = browser.follow(&turn, 0).await;
    events.until(20).await;

    let admin = std::env::var("STOA_TEST_POSTGRES").unwrap();
    let mut admin = PgConnection::connect(&admin).await.unwrap();
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let mut run = async |statement: String| {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
    };
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    let away = std::time::Instant::now();
    while away.elapsed() < Duration::from_secs(3) {
        run(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let (status, ..) = browser.send(Method::GET, "/health/ready", None).await;
    assert_eq!(status, http::StatusCode::SERVICE_UNAVAILABLE);
    let (status, ..) = browser.send(Method::GET, "/health/live", None).await;
    assert_eq!(status, http::StatusCode::OK);
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;

    while events.next().await.is_some() {}
    assert_eq!(events.text.trim_end(), counted(300));
    let answer = browser.settled(&turn, Duration::from_secs(30)).await;
    assert_eq!((answer["status"].as_str(), text(&answer).trim_end()), (Some("complete"), counted(300).as_str()));
}

/// A PostgreSQL server of the test's own, to be stopped and started.
struct Postgres {
    folder: tempfile::TempDir,
    url: String,
}

impl Postgres {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Self::control(folder.path(), &["start"]);
        // The tests' servers do without; this one is to keep what it has said to have.
        let url = format!("{}?options=-c%20synchronous_commit%3Don", url.trim());
        Self { folder, url }
    }

    /// As a crash: nothing is finished or written out, and the next start reads the log again.
    fn crash(&self) {
        Self::control(self.folder.path(), &["stop", "immediate"]);
    }

    fn start_again(&self) {
        Self::control(self.folder.path(), &["start"]);
    }

    fn control(folder: &std::path::Path, action: &[&str]) -> String {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/postgres");
        let (action, more) = action.split_first().unwrap();
        let output = std::process::Command::new(program).arg(action).arg(folder).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        Self::control(self.folder.path(), &["remove"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_outlives_a_crash_of_the_database_server() {
    let (mock, authority) = mock().await;
    let postgres = Postgres::start();
    let key = MasterKey::generate().to_hex();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&[
        ("STOA_DATA_DIR", directory.path().to_str().unwrap()),
        ("STOA_DATABASE_URL", &postgres.url),
        ("STOA_MASTER_KEY", &key),
        ("STOA_EGRESS_ALLOW", &authority),
    ]);
    let browser = Browser::sign_in(server.address).await;
    browser.add_mock(&mock.base_url(), "counter;rate=50;tokens=300").await;
    let turn = browser.begin("counter;rate=50;tokens=300").await;
    let mut events = browser.follow(&turn, 0).await;
    events.until(20).await;

    postgres.crash();
    events.until(60).await;
    let (status, ..) = browser.send(Method::GET, "/health/ready", None).await;
    assert_eq!(status, http::StatusCode::SERVICE_UNAVAILABLE);
    postgres.start_again();

    while events.next().await.is_some() {}
    assert_eq!(events.text.trim_end(), counted(300));
    let answer = browser.settled(&turn, Duration::from_secs(30)).await;
    assert_eq!((answer["status"].as_str(), text(&answer).trim_end()), (Some("complete"), counted(300).as_str()));
    // Turns and notices go on as before.
    let turn = browser.begin("counter;rate=50;tokens=300").await;
    let mut events = browser.follow(&turn, 0).await;
    events.until(5).await;
    let path = format!("/api/v1/generations/{}", turn["generation_id"].as_str().unwrap());
    let (status, ..) = browser.send(Method::DELETE, &path, None).await;
    assert_eq!(status, http::StatusCode::NO_CONTENT);
    assert_eq!(browser.settled(&turn, Duration::from_secs(20)).await["status"], "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_writes_down_what_it_has() {
    let (mock, authority) = mock().await;
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STOA_DATA_DIR", directory.path().to_str().unwrap()), ("STOA_EGRESS_ALLOW", &authority)];
    let server = Server::start(&variables);
    let browser = Browser::sign_in(server.address).await;
    browser.add_mock(&mock.base_url(), "counter;rate=50;tokens=2000").await;
    let turn = browser.begin("counter;rate=50;tokens=2000").await;
    let mut events = browser.follow(&turn, 0).await;
    events.until(30).await;
    let log = server.stop();
    assert!(log.contains("stopped"), "{log}");
    while events.next().await.is_some() {}
    let server = Server::start(&variables);
    let answer = browser.at(server.address).settled(&turn, Duration::from_secs(5)).await;
    assert_eq!((answer["status"].as_str(), text(&answer)), (Some("interrupted"), events.text.clone()));
}

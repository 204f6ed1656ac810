//! A server that cannot start says why, and leaves what it found as it was.

use std::path::Path;

use crate::support::{Server, stoa};
use stoa_storage::MasterKey;

pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Result<Server, String> {
    let mut all = vec![("STOA_DATA_DIR", data.to_str().unwrap())];
    all.extend_from_slice(variables);
    Server::try_start(&all)
}

pub(crate) fn refusal(data: &Path, variables: &[(&str, &str)]) -> String {
    match start(data, variables) {
        Ok(_) => panic!("the server started"),
        Err(log) => log,
    }
}

#[test]
fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let log = refusal(directory.path(), &[("STOA_LISTEN", &address)]);
    assert!(log.contains(&address), "{log}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _first = start(directory.path(), &[]).unwrap();
    let log = refusal(directory.path(), &[]);
    assert!(log.contains("another server uses the data directory"), "{log}");
}

#[test]
fn another_master_key_is_refused_and_the_right_one_still_serves() {
    let directory = tempfile::tempdir().unwrap();
    start(directory.path(), &[]).unwrap().stop();
    let key = MasterKey::generate().to_hex();
    let log = refusal(directory.path(), &[("STOA_MASTER_KEY", &key)]);
    assert!(log.contains("the master key is not the one that this database was made with"), "{log}");
    let log = refusal(directory.path(), &[("STOA_MASTER_KEY", &"0".repeat(64))]);
    assert!(log.contains("known or trivial"), "{log}");
    start(directory.path(), &[]).unwrap();
}

#[test]
fn postgres_without_a_master_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = refusal(directory.path(), &[("STOA_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")]);
    assert!(log.contains("the master key must be given"), "{log}");
}

#[test]
fn a_database_that_does_not_answer_is_named_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let key = MasterKey::generate().to_hex();
    let url = "postgres://stoa:hunter2@127.0.0.1:1/none";
    let log = refusal(directory.path(), &[("STOA_DATABASE_URL", url), ("STOA_MASTER_KEY", &key)]);
    assert!(log.contains("the database cannot be opened") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_wrong_setting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let log = refusal(directory.path(), &[("STOA_DRAIN_SECONDS", "soon")]);
    assert!(log.contains("STOA_DRAIN_SECONDS is `soon`, but must be a number of seconds"), "{log}");
}

#[test]
fn a_weak_owner_password_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = refusal(directory.path(), &[("STOA_OWNER_PASSWORD", "short")]);
    assert!(log.contains("STOA_OWNER_PASSWORD"), "{log}");
}

#[test]
fn the_tools_print_what_they_are_asked_for() {
    let output = stoa(&[]).arg("openapi").output().unwrap();
    let document = String::from_utf8(output.stdout).unwrap();
    assert!(document.contains("\"/api/v1/conversations\""));
    let output = stoa(&[]).args(["config", "reference"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("STOA_LISTEN"));
}

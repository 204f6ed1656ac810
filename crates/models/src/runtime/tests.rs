//! Tests of the runtime with programs that are no workers at all.

use std::path::Path;
use std::time::Instant;

use futures_util::StreamExt;
use stoa_model::SystemClock;
use stoa_model::completion::{AnswerForm, LocalOptions, Parameters, PromptMessage, PromptRole, Timers};
use tempfile::TempDir;

use super::*;
use stoa_model_store::gguf::fixture::good;

struct House {
    runtime: Arc<Runtime>,
    _directory: TempDir,
}

impl House {
    fn new(program: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tiny.gguf");
        std::fs::write(&path, good().bytes()).unwrap();
        let store = Store::open(directory.path().join("models")).unwrap();
        store.import(&path, &"tiny".parse().unwrap(), &mut |_| {}).unwrap();
        let worker = WorkerProgram {
            program: program.into(),
            arguments: arguments.iter().map(std::ffi::OsString::from).collect(),
        };
        let options = RuntimeOptions {
            first_backoff: Duration::from_millis(10),
            hang_timeout: Duration::from_millis(200),
            load_timeout: Duration::from_secs(1),
            ..RuntimeOptions::new(worker)
        };
        let runtime = Runtime::new(Arc::new(store), options, TaskTracker::new(), Arc::new(SystemClock)).unwrap();
        Self { runtime, _directory: directory }
    }

    async fn fail(&self) -> String {
        let request = CompletionRequest {
            model: "tiny".to_owned(),
            messages: vec![PromptMessage::new(PromptRole::User, "Hi")],
            parameters: Parameters::default(),
            stop: Vec::new(),
            seed: None,
            form: AnswerForm::default(),
            tenant: None,
            depth: 0,
            timers: Timers::default(),
            local: LocalOptions::default(),
        };
        let mut stream = Arc::clone(&self.runtime).open(request).await.unwrap();
        match stream.next().await.unwrap().unwrap_err() {
            CompletionError::WorkerFailed { detail } => detail,
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_and_no_more() {
    assert_eq!(House::new("/nowhere/stoa", &[]).fail().await, "it could not be started");
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_reported_with_its_last_words() {
    let house = House::new("/bin/sh", &["-c", "echo first >&2; echo ' the reason' >&2; exit 3"]);
    assert_eq!(house.fail().await, "it ended with code 3 (it said: the reason)");
}

#[tokio::test]
async fn last_words_are_kept_in_bounds_and_free_of_control_characters() {
    let house =
        House::new("/bin/sh", &["-c", "yes no | head -c 300000 >&2; printf '\\033[31m%s' done >&2; kill -9 $$"]);
    let detail = house.fail().await;
    assert!(detail.contains("was killed, perhaps for lack of memory (it said: [31mdone)"), "{detail}");
}

#[tokio::test]
async fn a_program_that_speaks_something_else_is_ended() {
    // It says the server's own hello back, which is no report of a worker.
    assert_eq!(House::new("/bin/sh", &["-c", "cat <&0 >&0"]).fail().await, "it sent something unreadable");
    let garbage = "exec 3>&0; head -c 4096 /dev/zero | tr '\\0' '\\377' >&3; sleep 60";
    assert_eq!(House::new("/bin/sh", &["-c", garbage]).fail().await, "it sent something unreadable");
}

#[tokio::test]
async fn another_version_is_refused() {
    let hello = r#"{"type":"hello","version":99,"threads":1,"processor":"x"}"#;
    let script = format!("printf '\\{:o}\\0\\0\\0%s' '{hello}' >&0; sleep 60", hello.len());
    assert_eq!(
        House::new("/bin/sh", &["-c", &script]).fail().await,
        format!("it speaks version 99 of the worker protocol, not {}", crate::protocol::VERSION)
    );
}

#[tokio::test]
async fn a_program_that_never_loads_anything_is_ended() {
    let started = Instant::now();
    let detail = House::new("/bin/sleep", &["infinity"]).fail().await;
    assert!(detail.contains("ended with code 1") || detail.contains("no progress for 1 seconds"), "{detail}");
    let detail = House::new("/bin/sh", &["-c", "sleep 60"]).fail().await;
    assert_eq!(detail, "it made no progress for 1 seconds and was ended");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn the_breaker_opens_and_says_when_it_is_tried_again() {
    let house = House::new("/nowhere/stoa", &[]);
    for _ in 0..3 {
        assert_eq!(house.fail().await, "it could not be started");
    }
    let detail = house.fail().await;
    assert!(detail.starts_with("it has failed 3 times in a row and is tried again in 1 seconds"), "{detail}");
    assert_eq!(house.runtime.status().lanes[0].failures, 3);
}

#[tokio::test]
async fn the_server_keeps_its_secrets_from_workers() {
    let house = House::new(
        "/bin/sh",
        &[
            "-c",
            "env | grep -vE '^(GOMP_SPINCOUNT|GGML_NO_BACKTRACE|CUDA_VISIBLE_DEVICES|GGML_VK_VISIBLE_DEVICES|PWD|SHLVL|_|LD_LIBRARY_PATH|OLDPWD)=' | tr '\\n' ' ' >&2; exit 1",
        ],
    );
    assert_eq!(house.fail().await, "it ended with code 1");
}

#[tokio::test]
async fn a_store_without_the_model_answers_that_it_is_unknown() {
    let house = House::new("/bin/true", &[]);
    house.runtime.store().remove("tiny").unwrap();
    assert!(house.runtime.models().await.unwrap().is_empty());
    assert!(!Path::new("tiny").exists());
}

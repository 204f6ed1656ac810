//! Workers that are killed, stopped, starved or given rubbish, with the real model.

use std::time::{Duration, Instant};

use crate::support::{House, first_text, long_request, options, request, signal};
use futures_util::StreamExt;
use rustix::process::Signal;
use stoa_model::completion::{CompletionError, CompletionStream};
use stoa_models::{LaneState, RuntimeOptions};

/// Reads on to the error.
async fn error_of(mut stream: CompletionStream) -> CompletionError {
    loop {
        if let Err(error) = stream.next().await.expect("the stream ends with an error") {
            assert!(stream.next().await.is_none(), "the error is the end");
            return error;
        }
    }
}

fn detail(error: &CompletionError) -> &str {
    match error {
        CompletionError::WorkerFailed { detail } => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_worker_killed_in_mid_answer_fails_its_request_and_nothing_else() {
    let house = House::new(RuntimeOptions { slots: Some(1), ..options() });
    let mut stream = house.open(long_request()).await.unwrap();
    let waiting = house.open(request("Say hello.")).await.unwrap();
    first_text(&mut stream).await;
    signal(house.worker_id().await, Signal::KILL);
    let error = error_of(stream).await;
    assert!(detail(&error).contains("was killed"), "{error}");
    assert!(
        !crate::support::Answer::read(waiting).await.unwrap().text.is_empty(),
        "whoever waited is served by a new worker"
    );
    assert_eq!(house.runtime.status().lanes[0].failures, 1);
}

#[tokio::test]
async fn a_worker_stopped_in_mid_answer_is_found_and_replaced() {
    let house = House::new(RuntimeOptions { hang_timeout: Duration::from_secs(2), ..options() });
    let mut stream = house.open(long_request()).await.unwrap();
    first_text(&mut stream).await;
    let worker = house.worker_id().await;
    let stopped = Instant::now();
    signal(worker, Signal::STOP);
    let error = error_of(stream).await;
    assert!(detail(&error).contains("no sign of life"), "{error}");
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert!(!house.ask(request("Say hello.")).await.unwrap().text.is_empty());
    assert_ne!(house.worker_id().await, worker);
}

#[tokio::test]
async fn an_idle_worker_that_dies_is_not_noticed_by_anybody() {
    let house = House::new(options());
    house.ask(request("Say hello.")).await.unwrap();
    let worker = house.worker_id().await;
    signal(worker, Signal::KILL);
    house.until(LaneState::Cold).await;
    assert!(!house.ask(request("Say hello.")).await.unwrap().text.is_empty());
    assert_ne!(house.worker_id().await, worker);
}

#[tokio::test]
async fn a_worker_without_enough_memory_says_so_and_the_server_lives() {
    let house = House::new(RuntimeOptions { memory_bytes: Some(160 * 1024 * 1024), ..options() });
    let error = house.ask(request("Say hello.")).await.unwrap_err();
    detail(&error);
    assert_eq!(house.runtime.models().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_that_keeps_failing_is_left_alone_for_longer_and_longer() {
    let mut options = options();
    options.memory_bytes = Some(64 * 1024 * 1024);
    options.first_backoff = Duration::from_millis(50);
    let house = House::new(options);
    let mut last = String::new();
    for _ in 0..4 {
        last = house.ask(request("Say hello.")).await.unwrap_err().to_string();
    }
    assert!(last.contains("3 times in a row"), "{last}");
    assert_eq!(house.runtime.status().lanes[0].failures, 3, "the fourth was not even tried");
}

#[tokio::test]
async fn an_idle_model_is_unloaded_and_comes_back() {
    let house = House::new(RuntimeOptions { keep_alive: Duration::from_millis(300), ..options() });
    house.ask(request("Say hello.")).await.unwrap();
    let worker = house.worker_id().await;
    for _ in 0..500 {
        if house.runtime.status().lanes.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(house.runtime.status().lanes.is_empty());
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists(), "the process is gone");
    house.ask(request("Say hello.")).await.unwrap();
}

#[tokio::test]
async fn shutting_down_ends_what_runs_and_what_waits() {
    let house = House::new(options());
    let mut running = house.open(long_request()).await.unwrap();
    let waiting = house.open(long_request()).await.unwrap();
    first_text(&mut running).await;
    let worker = house.worker_id().await;
    house.runtime.shutdown().await;
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists());
    for stream in [running, waiting] {
        let error = error_of(stream).await;
        assert!(detail(&error).contains("shutting down"), "{error}");
    }
    assert!(house.open(request("Hi")).await.is_err());
}

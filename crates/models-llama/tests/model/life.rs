//! How long a model stays loaded, and what is told about it.

use std::time::Duration;

use crate::support::{House, NAME, first_text, long_request, options, request, user};
use stoa_model::completion::{CompletionError, KeepAlive};
use stoa_model::{Clock, SystemClock};
use stoa_models::{LaneState, RuntimeOptions};

#[tokio::test]
async fn a_model_can_be_loaded_before_anybody_asks_and_says_when_it_goes() {
    let house = House::new(RuntimeOptions { slots: Some(4), ..options() });
    let keep_alive = KeepAlive::For(Duration::from_mins(30));
    let timings = house.runtime.load(NAME.to_owned(), Some(user()), Some(keep_alive)).await.unwrap();
    assert!(!timings.loading.is_zero() && timings.loading <= timings.waiting, "{timings:?}");
    house.until(LaneState::Idle).await;
    let lane = house.runtime.status().lanes.remove(0);
    assert_eq!((lane.keep_alive, lane.context_window, lane.slots, lane.running), (keep_alive, 2_048, 4, 0));
    assert!(lane.resident_bytes.unwrap() > 90_000_000, "{lane:?}");
    let left = lane.expires_at.unwrap().as_millis() - SystemClock.now().as_millis();
    assert!((1_750_000..=1_800_000).contains(&left), "{left} ms");

    let again = house.runtime.load(NAME.to_owned(), None, Some(KeepAlive::Forever)).await.unwrap();
    assert!(again.loading.is_zero(), "it is loaded already: {again:?}");
    house.until(LaneState::Idle).await;
    assert_eq!(house.runtime.status().lanes[0].expires_at, None);
    house.runtime.unload_model(NAME.to_owned()).await.unwrap();
    house.until(LaneState::Cold).await;
    assert_eq!(house.runtime.status().lanes[0].resident_bytes, None);
    let error = house.runtime.load("nothing:here".to_owned(), None, None).await.unwrap_err();
    assert!(matches!(error, CompletionError::UnknownModel { .. }), "{error:?}");
}

#[tokio::test]
async fn what_a_request_says_of_the_stay_holds_until_another_says_otherwise() {
    let house = House::new(options());
    let mut brief = request("Say hello.");
    brief.local.keep_alive = Some(KeepAlive::For(Duration::from_mins(1)));
    house.ask(brief.clone()).await.unwrap();
    house.ask(request("Say hello.")).await.unwrap();
    assert_eq!(house.runtime.status().lanes[0].keep_alive, KeepAlive::For(Duration::from_mins(1)));
    brief.local.keep_alive = Some(KeepAlive::NOW);
    house.ask(brief).await.unwrap();
    for _ in 0..500 {
        if house.runtime.status().lanes.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it stays: {:?}", house.runtime.status());
}

#[tokio::test]
async fn a_model_is_unloaded_by_hand_once_what_runs_has_ended() {
    let house = House::new(RuntimeOptions { slots: Some(4), ..options() });
    let mut long = long_request();
    long.parameters.max_tokens = Some(200);
    let mut stream = house.open(long).await.unwrap();
    first_text(&mut stream).await;
    let worker = house.worker_id().await;
    house.runtime.unload_model(NAME.to_owned()).await.unwrap();
    // Whoever comes now is served by the next worker.
    let later = house.open(request("Say hello.")).await.unwrap();
    let (first, second) = tokio::join!(crate::support::Answer::read(stream), crate::support::Answer::read(later));
    assert!(first.is_ok() && !second.unwrap().text.is_empty());
    assert_ne!(house.worker_id().await, worker);
    assert_eq!(house.runtime.status().lanes[0].failures, 0);
}

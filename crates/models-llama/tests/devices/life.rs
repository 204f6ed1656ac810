//! Workers on devices that are cancelled, killed, and that leave for others.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rustix::process::Signal;
use stoa_model::completion::CompletionRequest;
use stoa_models::{LaneState, MemoryBound, RuntimeOptions};

use crate::house::{LAYERS, bytes, lane, layers, on_devices, renamed};
use crate::support::{House, NAME, first_text, long_request, model_path, request, signal};

const OTHER: &str = "other";

/// As short as it can be: a software device compiles and computes slowly.
fn hello(model: &str) -> CompletionRequest {
    let mut asked = request("Say hello.");
    asked.parameters.max_tokens = Some(2);
    model.clone_into(&mut asked.model);
    asked
}

#[tokio::test]
async fn a_cancelled_answer_ends_at_the_next_step() {
    let house = House::new(on_devices());
    let mut stream = house.open(long_request()).await.unwrap();
    first_text(&mut stream).await;
    let cancelled = Instant::now();
    drop(stream);
    house.until(LaneState::Idle).await;
    assert!(cancelled.elapsed() < Duration::from_secs(3), "{:?}", cancelled.elapsed());
    assert!(!house.ask(hello(NAME)).await.unwrap().text.is_empty());
}

#[tokio::test]
async fn a_killed_worker_gives_its_device_back_and_is_replaced_there() {
    let house = House::new(on_devices());
    let mut stream = house.open(long_request()).await.unwrap();
    first_text(&mut stream).await;
    let worker = house.worker_id().await;
    signal(worker, Signal::KILL);
    while let Some(event) = stream.next().await {
        if let Err(error) = event {
            assert!(error.to_string().contains("was killed"), "{error}");
        }
    }
    house.until(LaneState::Cold).await;
    assert_eq!(house.runtime.status().devices[0].models_bytes, 0);
    house.ask(hello(NAME)).await.unwrap();
    assert_eq!(layers(&lane(&house)), [("Vulkan0", LAYERS)]);
    assert_ne!(house.worker_id().await, worker);
}

#[tokio::test]
async fn the_longest_idle_leaves_a_device_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let other = renamed(&model_path(), folder.path());
    let models = [(model_path(), NAME), (other, OTHER)];
    let models: Vec<_> = models.iter().map(|(path, name)| (path.as_path(), *name)).collect();
    // One fits whole, and beside what it then has, no other; the second device is not used.
    let devices = stoa_models::DeviceChoice::Named(vec!["Vulkan0".to_owned()]);
    let options = RuntimeOptions { device_memory: MemoryBound::Bytes(900 << 20), devices, ..on_devices() };
    let house = House::with_models(options, &models);
    house.ask(hello(NAME)).await.unwrap();
    let taken = bytes(&lane(&house));
    house.ask(hello(OTHER)).await.unwrap();
    let status = house.runtime.status();
    let loaded: Vec<_> = status.lanes.iter().filter(|lane| lane.slots > 0).collect();
    assert_eq!(status.evictions, 1, "{taken} bytes were taken");
    assert_eq!(loaded.len(), 1);
    assert!(loaded[0].model.starts_with(OTHER));
    assert_eq!(layers(loaded[0]), [("Vulkan0", LAYERS)]);
    assert_eq!(status.devices[0].models_bytes, bytes(loaded[0]));
}

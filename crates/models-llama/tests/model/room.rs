//! Models in bounded memory: who is loaded beside whom, who leaves, and what is told when nothing helps.

use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_models::{LaneStatus, MemoryBound, RuntimeOptions};
use tempfile::TempDir;

use crate::files::tampered;
use crate::support::{Answer, House, NAME, first_text, long_request, model_path, options, request};

const OTHER: &str = "other";
const THIRD: &str = "third";

/// Three models that differ in their names only, where all of them together may take so much.
fn house(memory: MemoryBound) -> (House, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let other = tampered(&directory, OTHER, b"Smollm2 135M 8k", b"Another 135M 8k");
    let third = tampered(&directory, THIRD, b"Smollm2 135M 8k", b"Thethird135M 8k");
    let options = RuntimeOptions { memory, slots: Some(2), ..options() };
    (House::with_models(options, &[(&model_path(), NAME), (&other, OTHER), (&third, THIRD)]), directory)
}

fn ask(model: &str) -> CompletionRequest {
    let mut asked = request("Say hello.");
    asked.parameters.max_tokens = Some(4);
    model.clone_into(&mut asked.model);
    asked
}

fn loaded(house: &House) -> Vec<String> {
    let named = |lane: LaneStatus| lane.worker_id.map(|_| lane.model.split(':').next().unwrap_or_default().to_owned());
    house.runtime.status().lanes.into_iter().filter_map(named).collect()
}

/// What one of them takes.
async fn measured() -> (u64, u64) {
    let (house, _directory) = house(MemoryBound::Share { percent: 100 });
    house.ask(ask(NAME)).await.unwrap();
    let lane = house.runtime.status().lanes.remove(0);
    (lane.estimated_bytes.unwrap(), lane.resident_bytes.unwrap())
}

#[tokio::test]
async fn models_share_the_memory_and_the_longest_idle_leaves_first() {
    let (estimated, resident) = measured().await;
    assert!(estimated / 2 < resident && resident < estimated * 2, "{estimated} expected, {resident} taken");

    // Two and a half of them. What is loaded counts as measured, what is to be loaded as expected.
    let (house, _directory) = house(MemoryBound::Bytes(resident + estimated + resident.min(estimated) / 2));
    house.ask(ask(NAME)).await.unwrap();
    house.ask(ask(OTHER)).await.unwrap();
    assert_eq!(loaded(&house), [OTHER, "smollm2"], "both have room");
    house.ask(ask(NAME)).await.unwrap();
    assert_eq!(house.runtime.status().evictions, 0);
    house.ask(ask(THIRD)).await.unwrap();
    assert_eq!(loaded(&house), ["smollm2", THIRD], "the other was idle for longer");
    assert_eq!(house.runtime.status().evictions, 1);
}

#[tokio::test]
async fn several_are_loaded_at_once_where_there_is_room() {
    let (house, _directory) = house(MemoryBound::Share { percent: 100 });
    let answers = futures_util::future::join_all([NAME, OTHER, THIRD].map(|model| house.ask(ask(model)))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(loaded(&house).len(), 3);
}

#[tokio::test]
async fn whoever_is_busy_stays_and_the_other_waits() {
    let (estimated, _) = measured().await;
    let (house, _directory) = house(MemoryBound::Bytes(estimated + estimated / 4));
    let mut long = long_request();
    long.parameters.max_tokens = Some(150);
    let mut stream = house.open(long).await.unwrap();
    first_text(&mut stream).await;
    let worker = house.worker_id().await;
    let waiting = house.open(ask(OTHER)).await.unwrap();
    let (first, second) = tokio::join!(
        async {
            let answer = Answer::read(stream).await;
            (answer, loaded(&house))
        },
        Answer::read(waiting)
    );
    assert_eq!(first.1, ["smollm2"], "it had the room to its end");
    assert!(first.0.is_ok() && !second.unwrap().text.is_empty());
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists());
}

#[tokio::test]
async fn what_can_never_fit_is_refused_with_both_numbers() {
    let (house, _directory) = house(MemoryBound::Bytes(100_000_000));
    let error = house.ask(ask(NAME)).await.unwrap_err();
    let CompletionError::NoRoom { needed_bytes, room_bytes } = error else { panic!("{error:?}") };
    assert!(needed_bytes > 100_000_000 && room_bytes == 100_000_000, "{needed_bytes} {room_bytes}");
    let told = error.to_string();
    assert!(told.contains("0.09 GiB") && told.contains("STOA_MODELS_MEMORY"), "{told}");
    assert!(loaded(&house).is_empty());
    // It is nobody's failure, so that nothing opens a breaker.
    assert_eq!(house.runtime.status().lanes[0].failures, 0);
}

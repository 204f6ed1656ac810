//! Workers that are killed at random moments, again and again, while several people ask.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use stoa_model::completion::CompletionError;
use stoa_models::{LaneState, RuntimeOptions};
use tokio_util::task::TaskTracker;

use crate::support::{House, options, request, signal, user};

const PEOPLE: usize = 8;
const REQUESTS_EACH: usize = 25;

/// A number that is another every time, the same again for the same seed.
struct Dice(u64);

impl Dice {
    /// Below `sides` (splitmix64).
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// `STOA_TEST_SEED` repeats a run.
fn seed() -> u64 {
    let given = std::env::var("STOA_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

fn is_alive(process: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else { return false };
    !status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}

/// Kills whatever worker there is, loading or not, until it is told to stop. Answers whom it killed. After every other
/// time it waits for an answer, so that there are some on the slowest machine.
async fn kill_again_and_again(house: &House, stop: &AtomicBool, answered: &AtomicUsize, mut dice: Dice) -> Vec<u32> {
    let mut killed = Vec::new();
    let mut patient = false;
    while !stop.load(Ordering::Relaxed) {
        let before = answered.load(Ordering::Relaxed);
        patient = !patient;
        while patient && answered.load(Ordering::Relaxed) == before && !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300 + dice.roll(2_000))).await;
        for worker in children() {
            if !killed.contains(&worker) {
                signal(worker, Signal::KILL);
                killed.push(worker);
            }
        }
        // The figures go on being told meanwhile.
        assert_eq!(house.runtime.status().lanes.len(), 1);
    }
    killed
}

/// The workers of this process, also one that the runtime does not show yet because it still loads.
fn children() -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let listed = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(listed.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
    }
    children.retain(|child| is_alive(*child));
    children
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_workers_are_killed_every_request_ends_and_nothing_is_left() {
    let seed = seed();
    println!("STOA_TEST_SEED={seed}");
    let house = Arc::new(House::new(RuntimeOptions {
        slots: Some(4),
        queue_per_user: 64,
        first_backoff: Duration::from_millis(10),
        longest_backoff: Duration::from_millis(100),
        ..options()
    }));
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let tracker = TaskTracker::new();
    let killing = tracker.spawn({
        let (house, stop, answered) = (Arc::clone(&house), Arc::clone(&stop), Arc::clone(&answered));
        async move { kill_again_and_again(&house, &stop, &answered, Dice(seed)).await }
    });
    let people = (0..PEOPLE).map(|number| {
        let (house, answered) = (Arc::clone(&house), Arc::clone(&answered));
        tracker.spawn(async move {
            let (person, mut dice) = (user(), Dice(seed ^ number as u64));
            let mut endings = Vec::new();
            for _ in 0..REQUESTS_EACH {
                let mut asked = request("Tell me about the sea.");
                (asked.seed, asked.tenant) = (None, Some(person));
                asked.parameters.max_tokens = Some(1 + u32::try_from(dice.roll(30)).unwrap());
                let ending = house.ask(asked).await.map(|answer| answer.text);
                answered.fetch_add(usize::from(ending.is_ok()), Ordering::Relaxed);
                endings.push(ending);
                tokio::time::sleep(Duration::from_millis(dice.roll(40))).await;
            }
            endings
        })
    });
    let endings: Vec<Result<String, CompletionError>> =
        join_all(people).await.into_iter().flat_map(|person| person.expect("nobody panics")).collect();
    stop.store(true, Ordering::Relaxed);
    let killed = killing.await.unwrap();

    assert_eq!(endings.len(), PEOPLE * REQUESTS_EACH);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for ending in &endings {
        match ending {
            Ok(text) => {
                assert!(!text.is_empty());
                *counts.entry("answered").or_default() += 1;
            }
            Err(CompletionError::WorkerFailed { .. }) => *counts.entry("failed").or_default() += 1,
            Err(other) => panic!("an ending that nobody expects: {other:?}"),
        }
    }
    println!("{counts:?}, {} workers killed", killed.len());
    assert!(!killed.is_empty() && counts.contains_key("answered") && counts.contains_key("failed"), "{counts:?}");

    // It recovers by itself, and the slots and the queue are as if nothing had been.
    let answer = loop {
        match house.ask(request("Say hello.")).await {
            Ok(answer) => break answer,
            Err(CompletionError::WorkerFailed { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(!answer.text.is_empty());
    house.until(LaneState::Idle).await;
    let lane = house.runtime.status().lanes.remove(0);
    assert_eq!((lane.running, lane.queued), (0, 0));
    house.runtime.shutdown().await;
    assert_eq!(children(), Vec::<u32>::new(), "no process is left");
    assert!(killed.into_iter().all(|worker| !is_alive(worker)));
}

//! Several who want the same: watchers of one pull, stores in several processes, and processes that are killed.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use stoa_models::ModelName;
use stoa_models::registry::{Events, PullEvent, Registries, RegistryError, RegistryOptions};
use tokio::sync::watch;

use crate::proxy::{Do, Proxy};
use crate::support::{Distribution, House, KIB, Model, eventually, named, pull, quick};

const HALF: u64 = 512 * KIB as u64;

/// A model of four parts, of which the last two are held back until the gate is opened.
struct Setup {
    _registry: Distribution,
    proxy: Proxy,
    gate: watch::Sender<bool>,
    model: Model,
    house: House,
}

impl Setup {
    async fn new() -> Self {
        let registry = Distribution::start();
        let model = Model::of(1_024 * KIB);
        model.upload(&registry, &registry.name("library/tiny:latest")).await;
        let (gate, closed) = watch::channel(false);
        let proxy = Proxy::start(&registry.authority, move |seen| match seen.range {
            Some((start, _)) if start >= HALF => Do::Hold(1_000, closed.clone()),
            _ => Do::Pass,
        })
        .await;
        let house = House::with([proxy.authority.as_str()], patient());
        Self { _registry: registry, proxy, gate, model, house }
    }

    fn name(&self) -> ModelName {
        named(&self.proxy.authority, "library/tiny:latest")
    }

    fn open(&self) {
        self.gate.send_replace(true);
    }

    /// The same store in what might be another process.
    fn neighbour(&self) -> Registries {
        House::registries(self.house.directory.path(), [self.proxy.authority.as_str()], patient())
    }

    /// How often the first half was asked for.
    fn beginnings(&self) -> usize {
        self.proxy.blobs().iter().filter(|seen| seen.range.is_some_and(|(start, _)| start < HALF)).count()
    }

    fn assert_brought_once(&self) {
        self.house.assert_has(&self.model);
        assert_eq!(self.beginnings(), 2, "both parts of the first half, once each");
    }

    /// A real other process that pulls.
    fn child(&self) -> Pulling {
        let process = Command::new(env!("CARGO_BIN_EXE_stoa-test-pull"))
            .arg(self.house.directory.path())
            .arg(self.name().to_string())
            .arg((256 * KIB).to_string())
            .stdout(Stdio::null())
            .spawn();
        Pulling(process.unwrap())
    }

    /// Waits until the map says that the first half is there.
    async fn half_is_saved(&self) {
        eventually("the first half is written down", || {
            let files = self.house.files("partial").into_iter();
            let maps = files.filter(|path| path.extension().is_some_and(|kind| kind == "map"));
            maps.filter_map(|path| fs::read(path).ok()).any(|text| {
                let map: serde_json::Value = serde_json::from_slice(&text).unwrap();
                map["done"].as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).sum::<u64>() >= HALF
            })
        })
        .await;
    }
}

/// Waits for a connection that is held back as long as the test takes.
fn patient() -> RegistryOptions {
    RegistryOptions { stall: Duration::from_mins(5), ..quick() }
}

/// Killed with SIGKILL when it is dropped.
struct Pulling(Child);

impl Drop for Pulling {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until_half(events: &mut Events<PullEvent>) {
    loop {
        match events.next().await.unwrap().unwrap() {
            PullEvent::Pulling { completed, .. } if completed >= HALF => return,
            _ => {}
        }
    }
}

async fn to_the_end(mut events: Events<PullEvent>) {
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.unwrap());
    }
    assert_eq!(last, Some(PullEvent::Success));
}

#[tokio::test]
async fn two_who_want_one_model_watch_one_pull() {
    let setup = Setup::new().await;
    let mut first = setup.house.registries.pull(&setup.name());
    until_half(&mut first).await;
    let mut second = setup.house.registries.pull(&setup.name());
    assert_eq!(second.next().await.unwrap().unwrap(), PullEvent::PullingManifest, "from its beginning");
    until_half(&mut second).await;
    // The pull outlives the one who asked for it first.
    drop(first);
    let third = setup.house.registries.pull(&setup.name());
    setup.open();
    tokio::join!(to_the_end(second), to_the_end(third));
    setup.assert_brought_once();
    assert_eq!(setup.proxy.seen().iter().filter(|seen| seen.is_manifest()).count(), 1);
}

#[tokio::test]
async fn a_pull_that_all_have_left_stops_and_can_be_taken_up() {
    let setup = Setup::new().await;
    let mut events = setup.house.registries.pull(&setup.name());
    until_half(&mut events).await;
    drop(events);
    setup.half_is_saved().await;
    setup.open();
    to_the_end(setup.house.registries.pull(&setup.name())).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_pull_that_ended_is_not_watched_but_done_again() {
    let setup = Setup::new().await;
    setup.open();
    let kept = setup.house.registries.pull(&setup.name());
    to_the_end(setup.house.registries.pull(&setup.name())).await;
    pull(&setup.house.registries, &setup.name()).await.unwrap();
    assert_eq!(setup.proxy.seen().iter().filter(|seen| seen.is_manifest()).count(), 2);
    to_the_end(kept).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn two_processes_bring_a_blob_once() {
    let setup = Setup::new().await;
    let neighbour = setup.neighbour();
    let mut here = setup.house.registries.pull(&setup.name());
    until_half(&mut here).await;
    let mut there = neighbour.pull(&setup.name());
    // It sees how far the other has come, without a byte of its own.
    until_half(&mut there).await;
    assert_eq!(setup.beginnings(), 2);
    setup.open();
    tokio::join!(to_the_end(here), to_the_end(there));
    setup.assert_brought_once();
}

#[tokio::test]
async fn who_waits_for_another_goes_on_when_that_one_gives_up() {
    let setup = Setup::new().await;
    let neighbour = setup.neighbour();
    let mut here = setup.house.registries.pull(&setup.name());
    until_half(&mut here).await;
    let mut there = neighbour.pull(&setup.name());
    until_half(&mut there).await;
    drop(here);
    setup.open();
    to_the_end(there).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_pull_whose_process_was_killed_is_taken_up_by_another() {
    let setup = Setup::new().await;
    let child = setup.child();
    setup.half_is_saved().await;
    drop(child);
    // What the dead process claimed is not rubbish.
    setup.house.store().collect().unwrap();
    setup.open();
    pull(&setup.house.registries, &setup.name()).await.unwrap();
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_process_that_waits_takes_over_from_one_that_is_killed() {
    let setup = Setup::new().await;
    let child = setup.child();
    setup.half_is_saved().await;
    let mut here = setup.house.registries.pull(&setup.name());
    until_half(&mut here).await;
    drop(child);
    setup.open();
    to_the_end(here).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_real_other_process_ends_its_pull_beside_ours() {
    let setup = Setup::new().await;
    let mut child = setup.child();
    setup.half_is_saved().await;
    let mut here = setup.house.registries.pull(&setup.name());
    until_half(&mut here).await;
    setup.open();
    to_the_end(here).await;
    assert!(child.0.wait().unwrap().success());
    setup.assert_brought_once();
}

#[tokio::test]
async fn many_processes_at_once_bring_a_model_once() {
    let setup = Setup::new().await;
    let mut children: Vec<Pulling> = (0..4).map(|_| setup.child()).collect();
    let here = setup.house.registries.pull(&setup.name());
    setup.half_is_saved().await;
    setup.open();
    to_the_end(here).await;
    for child in &mut children {
        assert!(child.0.wait().unwrap().success());
    }
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_collection_takes_nothing_from_a_pull_that_runs() {
    let setup = Setup::new().await;
    let neighbour = setup.neighbour();
    let mut here = setup.house.registries.pull(&setup.name());
    until_half(&mut here).await;
    // Everything here looks as if it had lain about for long.
    for directory in ["blobs", "partial", "claims"] {
        for file in setup.house.files(directory) {
            let old = Command::new("touch").args(["-d", "30 days ago"]).arg(file).status();
            assert!(old.unwrap().success());
        }
    }
    assert_eq!(neighbour.store().collect().unwrap(), 0);
    setup.open();
    to_the_end(here).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn shutdown_stops_what_runs_and_waits_for_it() {
    let setup = Setup::new().await;
    let mut events = setup.house.registries.pull(&setup.name());
    until_half(&mut events).await;
    setup.house.registries.shutdown().await;
    let error = loop {
        if let Err(error) = events.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(&*error, RegistryError::Stopped), "{error}");
    assert!(events.next().await.is_none());
    setup.half_is_saved().await;
}

//! Several who want the same: watchers of one pull, stores in several processes, and processes that are killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use stoa_model_store::registry::{Events, PullEvent, Registries, RegistryError, RegistryOptions};
use stoa_model_store::{ModelName, StoreError};
use tokio::sync::watch;

use crate::proxy::{Do, Proxy, Seen};
use crate::support::{self, Distribution, House, KIB, Model, eventually, named, pull, quick};

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
        let mut model = Model::of(1_024 * KIB);
        // Whole before the weights begin, and named by no manifest until they end.
        model.layers.insert(0, ("application/vnd.ollama.image.license", b"MIT".to_vec()));
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
        Pulling::start(&self.house, &self.name())
    }

    /// Waits until the map says that the first half is there.
    async fn half_is_saved(&self) {
        eventually("the first half is written down", || saved(&self.house, &self.model) >= HALF).await;
    }
}

/// How much of the weights is written down.
fn saved(house: &House, model: &Model) -> u64 {
    support::saved(house, &model.digest(model.layers.len() - 1)).iter().sum()
}

/// Waits for a connection that is held back as long as the test takes.
fn patient() -> RegistryOptions {
    RegistryOptions { stall: Duration::from_mins(5), ..quick() }
}

/// Killed with SIGKILL when it is dropped.
struct Pulling(Child);

impl Pulling {
    fn start(house: &House, name: &ModelName) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_stoa-test-pull"))
            .arg(house.directory.path())
            .arg(name.to_string())
            .arg((256 * KIB).to_string())
            .stdout(Stdio::null())
            .spawn();
        Self(process.unwrap())
    }
}

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
    assert_eq!(setup.house.registries.running(), [setup.name()]);
    let capitals = named(&setup.proxy.authority, "library/TINY:Latest");
    let third = setup.house.registries.watch(&capitals).unwrap();
    setup.open();
    tokio::join!(to_the_end(second), to_the_end(third));
    setup.assert_brought_once();
    assert_eq!(setup.proxy.seen().iter().filter(|seen| seen.is_manifest()).count(), 1);
    assert!(setup.house.registries.running().is_empty() && setup.house.registries.watch(&capitals).is_none());
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
async fn a_pull_that_is_killed_again_and_again_keeps_what_it_had() {
    let registry = Distribution::start();
    let model = Model::of(2_048 * KIB);
    model.upload(&registry, &registry.name("library/tiny:latest")).await;
    // No connection brings more than a little.
    let behave = |seen: &Seen| if seen.range.is_some() { Do::Cut(20 * KIB) } else { Do::Pass };
    let proxy = Proxy::start(&registry.authority, behave).await;
    let house = House::new([proxy.authority.as_str()]);
    let name = named(&proxy.authority, "library/tiny:latest");
    let mut kills = 0;
    while house.store().find(&name.to_string()).is_err() {
        let before = saved(&house, &model);
        let mut child = Pulling::start(&house, &name);
        eventually("the pull comes further, or ends", || {
            saved(&house, &model) > before + 100 * KIB as u64 || child.0.try_wait().unwrap().is_some()
        })
        .await;
        drop(child);
        let now = saved(&house, &model);
        assert!(now >= before || house.store().has_blob(&model.digest(0)), "{before} became {now}");
        kills += 1;
    }
    assert!(kills > 3, "it was killed some times on its way, not {kills}");
    pull(&house.registries, &name).await.unwrap();
    house.assert_has(&model);
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
    assert_eq!(setup.house.files("blobs").len(), 1);
    assert_eq!(neighbour.store().collect().unwrap(), 0);
    setup.open();
    to_the_end(here).await;
    setup.assert_brought_once();
}

#[tokio::test]
async fn a_disk_that_fills_up_stops_the_pull_and_keeps_what_came() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may mount a small disk");
        return;
    }
    let setup = Setup::new().await;
    let disk = setup.house.directory.path();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1500k", "none"]).arg(disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let _mounted = Mounted(disk.to_owned());
    let registries = setup.neighbour();
    let mut events = registries.pull(&setup.name());
    until_half(&mut events).await;
    fs::write(disk.join("filler"), vec![1; 700 * KIB]).unwrap();
    setup.open();
    let error = loop {
        if let Err(error) = events.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(&*error, RegistryError::Store(StoreError::DiskFull { .. })), "{error}");
    let error = pull(&registries, &setup.name()).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::NoSpace { .. }), "{error}");
    fs::remove_file(disk.join("filler")).unwrap();
    pull(&registries, &setup.name()).await.unwrap();
    setup.assert_brought_once();
}

/// A small disk, taken away again however the test ends.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
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

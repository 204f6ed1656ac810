//! Tests of engines with programs that play them, and of models that are loaded by such.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stoa_model::SystemClock;
use stoa_model::completion::CompletionError;
use stoa_model_store::Store;
use stoa_model_store::gguf::fixture::good;
use stoa_model_store::store::NewModel;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::*;
use crate::memory::MemoryBound;
use crate::protocol::{Confinement, DeviceList, DeviceUse, Landlock, LoadFailure, LockProfile, Report, encode};
use crate::runtime::{LaneStatus, Runtime};

const MIB: u64 = 1 << 20;

/// Two cards of 1 GiB.
fn two_cards() -> DeviceList {
    let card = |name: &str, address: &str| Device {
        name: name.to_owned(),
        description: format!("Card {name}"),
        address: Some(address.to_owned()),
        kind: DeviceKind::Discrete,
        total_bytes: 1_024 * MIB,
        free_bytes: 1_024 * MIB,
    };
    DeviceList { version: VERSION, devices: vec![card("Fake0", "0000:01:00.0"), card("Fake1", "0000:02:00.0")] }
}

/// What a worker says until it is loaded, and where.
fn loading(devices: &[(&str, u32, u64)]) -> Vec<u8> {
    let device = |(device, layers, mebibytes): &(&str, u32, u64)| DeviceUse {
        device: (*device).to_owned(),
        layers: *layers,
        bytes: mebibytes * MIB,
    };
    let profile = if devices.is_empty() { LockProfile::Processor } else { LockProfile::Devices };
    let confinement = Confinement { landlock: Landlock::Full { abi: 6 }, seccomp: true, profile };
    let hello = Report::Hello { version: VERSION, threads: 1, processor: "none".to_owned() };
    let devices = devices.iter().map(device).collect();
    let ready = Report::Ready { context_window: 2_048, slots: 2, confinement, devices };
    [encode(&hello).unwrap(), encode(&ready).unwrap()].concat()
}

fn failing(failure: LoadFailure) -> Vec<u8> {
    let hello = Report::Hello { version: VERSION, threads: 1, processor: "none".to_owned() };
    [encode(&hello).unwrap(), encode(&Report::LoadFailed { failure }).unwrap()].concat()
}

/// A folder of engines and what they need.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("engines")).unwrap();
        Self { folder }
    }

    fn engines(&self) -> PathBuf {
        self.folder.path().join("engines")
    }

    fn script(&self, path: &Path, text: &str) -> WorkerProgram {
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(path.starts_with(self.folder.path()));
        WorkerProgram { program: path.to_owned(), arguments: Vec::new() }
    }

    fn engine(&self, name: &str, text: &str) {
        self.script(&self.engines().join(name), text);
    }

    /// A worker that says `frames` and lives on; what it was started with is in `name.log`.
    fn worker(&self, name: &str, frames: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, frames).unwrap();
        let path = path.display();
        format!("echo \"$@\" >>{path}.log; cat {path} >&0; read -r line <&0")
    }

    /// An engine that has `list`, and whose workers say `frames`.
    fn good_engine(&self, name: &str, list: &DeviceList, frames: &[u8]) {
        let path = self.folder.path().join(format!("{name}.json"));
        fs::write(&path, serde_json::to_vec(list).unwrap()).unwrap();
        let worker = self.worker(name, frames);
        self.engine(name, &format!("if [ \"$2\" = --devices ]; then exec cat {}; fi\n{worker}", path.display()));
    }

    fn log(&self, name: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// On the processor, too, there are workers that only say that they are loaded.
    fn options(&self) -> RuntimeOptions {
        let script = self.worker("processor", &loading(&[]));
        let worker = self.script(&self.folder.path().join("stoa"), &script);
        RuntimeOptions {
            engines: Some(self.engines()),
            engine_timeout: Duration::from_secs(2),
            ..RuntimeOptions::new(worker)
        }
    }

    /// With two models that differ in their names only.
    fn runtime(&self, options: RuntimeOptions) -> Arc<Runtime> {
        let store = Store::open(self.folder.path().join("models")).unwrap();
        for name in ["one", "two"] {
            let path = self.folder.path().join(format!("{name}.gguf"));
            fs::write(&path, good().with_text("general.name", name).bytes()).unwrap();
            store.import(&path, &name.parse().unwrap(), &mut |_| {}).unwrap();
        }
        Runtime::new(Arc::new(store), options, TaskTracker::new(), Arc::new(SystemClock)).unwrap()
    }
}

async fn load(runtime: &Runtime, model: &str) -> Result<LaneStatus, CompletionError> {
    runtime.load(model.to_owned(), None, None).await?;
    let lanes = runtime.status().lanes;
    Ok(lanes.into_iter().find(|lane| lane.model.starts_with(model)).unwrap())
}

fn loaded(runtime: &Runtime) -> Vec<String> {
    let lanes = runtime.status().lanes.into_iter().filter(|lane| lane.slots > 0);
    lanes.map(|lane| lane.model.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn on(lane: &LaneStatus) -> Vec<(String, u32, u64)> {
    lane.devices.iter().map(|share| (share.name.clone(), share.layers, share.bytes / MIB)).collect()
}

#[tokio::test]
async fn engines_that_answer_have_devices_and_the_others_are_named_with_a_reason() {
    let stage = Stage::new();
    stage.good_engine("a-good", &two_cards(), b"");
    let other = DeviceList { version: VERSION + 1, ..two_cards() };
    let other = serde_json::to_string(&other).unwrap().replace("free_bytes", "what_the_next_version_says");
    stage.engine("b-other", &format!("echo '{other}'"));
    stage.engine("c-rubbish", "echo 'Usage: something else'");
    stage.engine("d-endless", "yes");
    stage.engine("e-fails", "echo first >&2; echo ' no driver ' >&2; exit 3");
    stage.engine("f-hangs", "sleep 60");
    let none = format!("{{\"version\":{VERSION},\"devices\":[]}}");
    stage.engine("g-environment", &format!("env | grep -q '^STOA\\|^HOME=' && exit 9; echo '{none}'"));
    fs::write(stage.engines().join("README"), "no program").unwrap();
    let options = RuntimeOptions { engine_timeout: Duration::from_secs(1), ..stage.options() };
    let engines = Engines::find(&options);
    let began = Instant::now();
    let usable = engines.look(Duration::ZERO).await;
    assert!(began.elapsed() < Duration::from_secs(8), "they are asked side by side");
    assert_eq!(usable.iter().map(|engine| engine.name.as_str()).collect::<Vec<_>>(), ["a-good"]);
    assert_eq!(usable[0].devices.len(), 2);

    let status = engines.status();
    let told = |name: &str| status.iter().find(|engine| engine.name == name).unwrap().devices.clone();
    assert_eq!(told("a-good").unwrap().len(), 2);
    let next = VERSION + 1;
    let expected =
        format!("it speaks version {next} of the worker protocol, not {VERSION}: build it from the same sources");
    assert_eq!(told("b-other").unwrap_err(), expected);
    assert_eq!(told("c-rubbish").unwrap_err(), "it sent something unreadable instead of its devices");
    assert_eq!(told("d-endless").unwrap_err(), "it sent something unreadable instead of its devices");
    assert_eq!(told("e-fails").unwrap_err(), "it ended with exit status: 3 (it said: no driver)");
    assert_eq!(told("f-hangs").unwrap_err(), "it did not say within 1 seconds which devices it has");
    assert_eq!(told("g-environment").unwrap(), Vec::new());
    assert_eq!(status.len(), 7);

    // Those that failed are not waited for with every model.
    let began = Instant::now();
    engines.look(Duration::ZERO).await;
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let stage = Stage::new();
    let options = RuntimeOptions { engines: Some("/nowhere/engines".into()), ..stage.options() };
    let engines = Engines::find(&options);
    assert!(engines.look(Duration::ZERO).await.is_empty());
    let [EngineStatus { name, devices: Err(reason) }] = &engines.status()[..] else { panic!("{:?}", engines.status()) };
    assert_eq!(name, "/nowhere/engines");
    assert!(reason.starts_with("the folder cannot be read: No such file"), "{reason}");
}

#[tokio::test]
async fn a_model_goes_to_the_device_that_holds_it_and_the_status_says_where() {
    let stage = Stage::new();
    stage.good_engine("cards", &two_cards(), &loading(&[("Fake0", 3, 300)]));
    let runtime = stage.runtime(stage.options());
    let lane = load(&runtime, "one").await.unwrap();
    assert_eq!(on(&lane), [("Fake0".to_owned(), 3, 300)]);
    assert_eq!((lane.engine.as_deref(), lane.layers, lane.fallback), (Some("cards"), 3, None));
    assert!(stage.log("cards")[0].contains("--device Fake0=3") && stage.log("processor").is_empty());

    let status = runtime.status();
    let devices: Vec<_> =
        status.devices.iter().map(|device| (device.device.name.as_str(), device.models_bytes / MIB)).collect();
    assert_eq!(devices, [("Fake0", 300), ("Fake1", 0)]);
    assert_eq!(status.devices[0].bound_bytes, 1_024 * MIB / 100 * 90);
    runtime.unload_model("one".to_owned()).await.unwrap();
    runtime.shutdown().await;
    assert_eq!(runtime.status().devices[0].models_bytes, 0);
}

#[tokio::test]
async fn the_longest_idle_leaves_a_device_and_another_device_is_used_first() {
    let stage = Stage::new();
    let mut one_card = two_cards();
    one_card.devices.truncate(1);
    stage.good_engine("cards", &one_card, &loading(&[("Fake0", 3, 700)]));
    let runtime = stage.runtime(stage.options());
    load(&runtime, "one").await.unwrap();
    // 1 GiB holds no second one, though the machine does.
    load(&runtime, "two").await.unwrap();
    assert_eq!(loaded(&runtime), ["two"]);
    assert_eq!(runtime.status().evictions, 1);

    let stage = Stage::new();
    stage.good_engine("cards", &two_cards(), &loading(&[("Fake0", 3, 700)]));
    let runtime = stage.runtime(stage.options());
    load(&runtime, "one").await.unwrap();
    load(&runtime, "two").await.unwrap();
    assert_eq!(runtime.status().evictions, 0, "{:?}", stage.log("cards"));
    assert!(stage.log("cards")[1].contains("--device Fake1=3"), "{:?}", stage.log("cards"));
}

#[tokio::test]
async fn a_device_that_does_not_hold_what_it_should_gets_less_and_then_nothing() {
    let stage = Stage::new();
    stage.good_engine("cards", &two_cards(), &failing(LoadFailure::Model));
    let runtime = stage.runtime(stage.options());
    let lane = load(&runtime, "one").await.unwrap();
    let tried = stage.log("cards");
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert!(tried[0].contains("--device Fake0=3") && tried[1].contains("--device Fake0=1"), "{tried:?}");
    assert_eq!((lane.engine, lane.devices, lane.failures), (None, Vec::new(), 0));
    let fallback = lane.fallback.unwrap();
    assert_eq!(fallback, "with 1 layers on devices, llama.cpp cannot load the model");
    assert_eq!(runtime.status().totals.fallbacks, 2);
    assert_eq!(stage.log("processor").len(), 1);
    assert_eq!(runtime.status().devices[0].models_bytes, 0, "nothing stays promised");
}

#[tokio::test]
async fn operators_bound_layers_memory_and_devices() {
    let stage = Stage::new();
    stage.good_engine("cards", &two_cards(), &loading(&[("Fake0", 1, 1)]));
    let none = stage.runtime(RuntimeOptions { device_layers: Some(0), ..stage.options() });
    assert_eq!(load(&none, "one").await.unwrap().engine, None);
    let off = stage.runtime(RuntimeOptions { devices: DeviceChoice::Off, ..stage.options() });
    assert_eq!(load(&off, "one").await.unwrap().engine, None);
    assert!(off.status().engines.is_empty());
    let little = RuntimeOptions { device_memory: MemoryBound::Bytes(MIB), ..stage.options() };
    assert_eq!(load(&stage.runtime(little), "one").await.unwrap().engine, None);
    assert!(stage.log("cards").is_empty());

    let one = stage.runtime(RuntimeOptions { device_layers: Some(1), ..stage.options() });
    load(&one, "one").await.unwrap();
    assert!(stage.log("cards")[0].contains("--device Fake0=1"));
    let named = DeviceChoice::Named(vec!["Fake1".to_owned()]);
    let named = stage.runtime(RuntimeOptions { devices: named, ..stage.options() });
    load(&named, "one").await.unwrap();
    assert!(stage.log("cards")[1].contains("--device Fake1=3"));
}

#[tokio::test]
async fn a_models_own_num_gpu_is_a_bound() {
    let stage = Stage::new();
    stage.good_engine("cards", &two_cards(), &loading(&[("Fake0", 2, 1)]));
    let runtime = stage.runtime(stage.options());
    let parameters = serde_json::json!({"num_gpu": 2}).as_object().unwrap().clone();
    let bounded = NewModel { from: Some("one".parse().unwrap()), parameters, ..NewModel::default() };
    runtime.store().create(&"bounded".parse().unwrap(), &bounded, &mut |_| {}).unwrap();
    load(&runtime, "bounded").await.unwrap();
    assert!(stage.log("cards")[0].contains("--device Fake0=2"), "{:?}", stage.log("cards"));
}

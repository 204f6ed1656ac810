//! Requests through starts, crashes, scaling and changes of version, with an engine that does what the test says.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use stoa_functions::activator::{Activator, Lane, Options, Refusal};
use stoa_functions::{
    Capabilities, ColdStart, Connection, Draft, Engine, EngineError, Instance, InstanceId, Isolation, LogLine, LogPage,
    RequestBody, Scale, Spec, State, StopReason, Stream, Version, VersionId,
};
use stoa_model::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// How instances behave.
#[derive(Clone, Copy)]
struct Behaviour {
    starts_in: Duration,
    answers_in: Duration,
    fails: bool,
}

struct Fake {
    behaviour: Mutex<Behaviour>,
    versions: Mutex<HashMap<VersionId, watch::Sender<Arc<[Instance]>>>>,
    made: AtomicU32,
    frozen: AtomicU32,
    most: AtomicU32,
    /// How often it was told how many there shall be of what it does not know.
    late: AtomicU32,
    tracker: TaskTracker,
    own: std::sync::Weak<Self>,
}

impl Fake {
    fn new(behaviour: Behaviour, tracker: TaskTracker) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            behaviour: Mutex::new(behaviour),
            versions: Mutex::default(),
            made: AtomicU32::new(0),
            frozen: AtomicU32::new(0),
            most: AtomicU32::new(0),
            late: AtomicU32::new(0),
            tracker,
            own: own.clone(),
        })
    }

    fn change(&self, id: &InstanceId, state: &State) {
        for shown in self.versions.lock().unwrap().values() {
            shown.send_modify(|all| {
                *all = all
                    .iter()
                    .cloned()
                    .map(|mut one| {
                        if one.id == *id && one.state.leads_to(state) {
                            one.state = state.clone();
                            if *state == State::Ready {
                                one.ready_at = Some(Timestamp::from_millis(1));
                            }
                        }
                        one
                    })
                    .collect();
            });
        }
    }

    fn state(&self, id: &InstanceId) -> State {
        let versions = self.versions.lock().unwrap();
        let found = versions.values().find_map(|shown| shown.borrow().iter().find(|one| one.id == *id).cloned());
        found.map_or(State::Stopped { reason: StopReason::Asked }, |one| one.state)
    }

    fn alive(&self) -> Vec<InstanceId> {
        let versions = self.versions.lock().unwrap();
        let all = versions.values().flat_map(|shown| shown.borrow().to_vec());
        all.filter(|one| !one.state.is_over()).map(|one| one.id).collect()
    }

    fn crash(&self, id: &InstanceId) {
        self.change(id, &State::Stopped { reason: StopReason::Exited { status: "status 1".to_owned() } });
    }
}

#[async_trait]
impl Engine for Fake {
    fn capabilities(&self) -> Capabilities {
        Capabilities { isolation: Isolation::FULL, details: Vec::new() }
    }

    async fn apply(&self, version: Version) -> Result<(), EngineError> {
        self.versions.lock().unwrap().entry(version.id).or_insert_with(|| watch::channel(Arc::from([])).0);
        Ok(())
    }

    async fn scale(&self, version: &VersionId, scale: Scale) -> Result<(), EngineError> {
        let behaviour = *self.behaviour.lock().unwrap();
        let own = self.own.upgrade().unwrap();
        // An engine has its own to do first.
        tokio::task::yield_now().await;
        let versions = self.versions.lock().unwrap();
        let shown = versions.get(version).ok_or_else(|| {
            self.late.fetch_add(1, Ordering::SeqCst);
            EngineError::NoVersion
        })?;
        for id in &scale.leaving {
            shown.send_modify(|all| {
                *all = all.iter().filter(|one| one.id != *id).cloned().collect();
            });
        }
        let there = shown.borrow().iter().filter(|one| !one.state.is_over()).count();
        for _ in there..scale.instances as usize {
            let number = self.made.fetch_add(1, Ordering::SeqCst);
            let id = InstanceId::new(&format!("{version}-{number}"));
            let new = Instance {
                id: id.clone(),
                state: State::Starting,
                created_at: Timestamp::from_millis(0),
                since: Timestamp::from_millis(0),
                ready_at: None,
                cold_start: ColdStart::default(),
            };
            shown.send_modify(|all| *all = all.iter().cloned().chain([new]).collect());
            let own = Arc::clone(&own);
            self.tracker.spawn(async move {
                tokio::time::sleep(behaviour.starts_in).await;
                let failed = StopReason::ExitedEarly { status: "status 7".to_owned() };
                let next = if behaviour.fails { State::Stopped { reason: failed } } else { State::Ready };
                own.change(&id, &next);
            });
        }
        let alive = u32::try_from(shown.borrow().iter().filter(|one| !one.state.is_over()).count()).unwrap();
        self.most.fetch_max(alive, Ordering::SeqCst);
        Ok(())
    }

    fn instances(&self, version: &VersionId) -> Result<watch::Receiver<Arc<[Instance]>>, EngineError> {
        self.versions.lock().unwrap().get(version).map(watch::Sender::subscribe).ok_or(EngineError::NoVersion)
    }

    async fn connect(&self, instance: &InstanceId) -> Result<Box<dyn Connection>, EngineError> {
        match self.state(instance) {
            State::Ready => {}
            State::Stopped { .. } => return Err(EngineError::NoInstance),
            _ => return Err(EngineError::WrongState),
        }
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let (own, id) = (self.own.upgrade().unwrap(), instance.clone());
        self.tracker.spawn(async move {
            let mut got = Vec::new();
            while far.read_buf(&mut got).await.is_ok_and(|read| read > 0) {
                while let Some(end) = got.windows(4).position(|end| end == b"\r\n\r\n") {
                    got.drain(..end + 4);
                    let answers_in = own.behaviour.lock().unwrap().answers_in;
                    tokio::time::sleep(answers_in).await;
                    if own.state(&id) != State::Ready {
                        return;
                    }
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{id}", id.as_str().len());
                    if far.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Box::new(near))
    }

    async fn freeze(&self, instance: &InstanceId) -> Result<bool, EngineError> {
        self.frozen.fetch_add(1, Ordering::SeqCst);
        self.change(instance, &State::Frozen);
        Ok(true)
    }

    async fn thaw(&self, instance: &InstanceId) -> Result<(), EngineError> {
        self.change(instance, &State::Ready);
        Ok(())
    }

    async fn logs(&self, _: &InstanceId, _: u64) -> Result<LogPage, EngineError> {
        let text = "no luck".to_owned();
        let line = LogLine { number: 1, at: Timestamp::from_millis(0), stream: Stream::Error, text, cut: false };
        Ok(LogPage { lines: vec![line], lost: 0 })
    }

    async fn delete(&self, version: &VersionId) -> Result<(), EngineError> {
        self.versions.lock().unwrap().remove(version).map(drop).ok_or(EngineError::NoVersion)
    }
}

struct House {
    engine: Arc<Fake>,
    activator: Activator,
    tracker: TaskTracker,
}

const QUICK: Behaviour =
    Behaviour { starts_in: Duration::from_millis(50), answers_in: Duration::from_millis(20), fails: false };

fn house(behaviour: Behaviour, queue: usize) -> House {
    let tracker = TaskTracker::new();
    let engine = Fake::new(behaviour, tracker.clone());
    let options = Options { queue, ..Options::default() };
    House { activator: Activator::new(engine.clone(), options, tracker.clone()), engine, tracker }
}

impl House {
    async fn serve(&self, name: &str, change: impl FnOnce(&mut Draft)) -> Arc<Lane> {
        let mut draft = Draft { command: vec!["a".to_owned()], ..Draft::default() };
        change(&mut draft);
        let spec = Arc::new(Spec::try_from(draft).unwrap());
        let id = VersionId::new(name).unwrap();
        self.activator.serve(Version { id, spec, code: "/".into(), volumes: Vec::new() }).await.unwrap()
    }

    /// Many at once, and what came of each.
    async fn flood(&self, lane: &Arc<Lane>, requests: usize) -> Vec<Result<String, Refusal>> {
        let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..requests {
            let (lane, answers) = (Arc::clone(lane), answers.clone());
            self.tracker.spawn(async move { answers.send(get(&lane, "a").await).unwrap() });
        }
        drop(answers);
        let mut all = Vec::new();
        while let Some(answer) = answered.recv().await {
            all.push(answer);
        }
        all
    }
}

async fn get(lane: &Arc<Lane>, caller: &str) -> Result<String, Refusal> {
    let body: RequestBody = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
    let response = lane.call(caller, http::Request::get("/").header("host", "f").body(body).unwrap()).await;
    let response = response.map_err(|rejected| rejected.refusal)?;
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn from_nothing_every_request_is_held_and_answered() {
    let house = house(QUICK, 1_000);
    let lane = house.serve("v1", |draft| draft.concurrency = 4).await;
    assert_eq!(house.engine.made.load(Ordering::SeqCst), 0, "nothing starts unasked");
    let answers = house.flood(&lane, 200).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(house.engine.most.load(Ordering::SeqCst) <= 10, "never more than the spec says");
    assert!(house.engine.most.load(Ordering::SeqCst) > 1, "and more than one");
    assert_eq!(lane.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_start_longer_than_every_timer_still_serves() {
    let house = house(Behaviour { starts_in: Duration::from_secs(100), ..QUICK }, 10);
    let lane = house
        .serve("v1", |draft| {
            draft.idle.freeze_ms = 10;
            draft.idle.stop_ms = 20;
        })
        .await;
    assert_eq!(get(&lane, "a").await.unwrap(), "v1-0");
    assert_eq!(house.engine.made.load(Ordering::SeqCst), 1, "it was not stopped as idle while it started");
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_is_frozen_thawed_and_stopped_at_last() {
    let house = house(QUICK, 10);
    let lane = house
        .serve("v1", |draft| {
            draft.idle.freeze_ms = 60_000;
            draft.idle.stop_ms = 600_000;
        })
        .await;
    let first = get(&lane, "a").await.unwrap();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(house.engine.state(&InstanceId::new(&first)), State::Frozen);
    let before = tokio::time::Instant::now();
    assert_eq!(get(&lane, "a").await.unwrap(), first, "it is the same one");
    assert!(before.elapsed() < QUICK.starts_in, "and sooner than a start");
    tokio::time::sleep(Duration::from_secs(700)).await;
    assert_eq!(house.engine.alive(), []);
    assert_eq!(get(&lane, "a").await.unwrap(), "v1-1", "and from nothing again");
}

#[tokio::test(start_paused = true)]
async fn the_fewest_are_there_before_anybody_asks_and_stay() {
    let house = house(QUICK, 10);
    house
        .serve("v1", |draft| {
            draft.instances.minimum = 2;
            draft.idle.freeze_ms = 1_000;
            draft.idle.stop_ms = 2_000;
        })
        .await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(house.engine.alive().len(), 2);
    assert_eq!(house.engine.made.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_none_of_those_who_wait() {
    let house = house(Behaviour { answers_in: Duration::from_millis(200), ..QUICK }, 1_000);
    let lane = house.serve("v1", |draft| draft.instances.maximum = 1).await;
    let engine = Arc::clone(&house.engine);
    house.tracker.spawn(async move {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(900)).await;
            for id in engine.alive() {
                engine.crash(&id);
            }
        }
    });
    let answers = house.flood(&lane, 40).await;
    let lost: Vec<_> = answers.iter().filter(|answer| answer.is_err()).collect();
    // Nobody knows what came of the one that was being answered.
    assert!(lost.len() <= 3, "{lost:?}");
    assert!(lost.iter().all(|lost| matches!(lost, Err(Refusal::Call(_)))), "{lost:?}");
    assert!(house.engine.made.load(Ordering::SeqCst) >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_version_loses_nothing() {
    let house = house(QUICK, 1_000);
    let old = house.serve("v1", |draft| draft.concurrency = 2).await;
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..50 {
        let (old, answers) = (Arc::clone(&old), answers.clone());
        house.tracker.spawn(async move { answers.send(get(&old, "a").await).unwrap() });
    }
    drop(answers);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let new = house.serve("v2", |draft| draft.concurrency = 2).await;
    house.activator.retire(&VersionId::new("v1").unwrap()).await.unwrap();
    let mut count = 0;
    while let Some(answer) = answered.recv().await {
        assert!(answer.unwrap().starts_with("v1-"));
        count += 1;
    }
    assert_eq!(count, 50);
    assert!(matches!(get(&old, "a").await, Err(Refusal::Retired)), "whoever comes late is told to choose again");
    assert!(get(&new, "a").await.unwrap().starts_with("v2-"));
    assert!(house.engine.instances(&VersionId::new("v1").unwrap()).is_err());
}

#[tokio::test(start_paused = true)]
async fn of_what_is_deleted_or_goes_with_its_engine_nothing_is_started_or_stopped() {
    let house = house(QUICK, 100);
    for number in 0..50 {
        let name = format!("v{number}");
        let lane = house.serve(&name, |_| {}).await;
        assert!(house.flood(&lane, 3).await.iter().all(Result::is_ok));
        house.activator.retire(&VersionId::new(&name).unwrap()).await.unwrap();
    }
    house.engine.behaviour.lock().unwrap().starts_in = Duration::from_secs(100);
    let lanes = [house.serve("one", |_| {}).await, house.serve("two", |draft| draft.instances.minimum = 1).await];
    for lane in lanes {
        house.tracker.spawn(async move { get(&lane, "a").await });
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.activator.close().await;
    house.engine.versions.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(house.engine.late.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_told_to_all_and_not_tried_at_once_again() {
    let house = house(Behaviour { fails: true, ..QUICK }, 100);
    let lane = house.serve("v1", |draft| draft.instances.maximum = 2).await;
    for answer in house.flood(&lane, 20).await {
        let Err(Refusal::StartFailed { reason, log, retry_after }) = answer else { panic!("{answer:?}") };
        assert_eq!(reason, StopReason::ExitedEarly { status: "status 7".to_owned() });
        assert_eq!(log, "no luck");
        assert!(retry_after <= Duration::from_secs(2));
    }
    let made = house.engine.made.load(Ordering::SeqCst);
    assert!(made <= 2, "{made}");
    assert!(matches!(get(&lane, "a").await, Err(Refusal::StartFailed { .. })));
    assert_eq!(house.engine.made.load(Ordering::SeqCst), made, "while it pauses, nothing starts");
    house.engine.behaviour.lock().unwrap().fails = false;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(get(&lane, "a").await.is_ok(), "and then it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_a_held_request_has_a_deadline() {
    let house = house(Behaviour { starts_in: Duration::from_secs(100_000), ..QUICK }, 5);
    let lane = house.serve("v1", |draft| draft.timeouts.start_ms = 1_000).await;
    let began = tokio::time::Instant::now();
    let answers = house.flood(&lane, 8).await;
    let full = answers.iter().filter(|answer| matches!(answer, Err(Refusal::QueueFull))).count();
    let overdue = answers.iter().filter(|answer| matches!(answer, Err(Refusal::Deadline))).count();
    assert_eq!((full, overdue), (3, 5), "{answers:?}");
    assert!(began.elapsed() >= Duration::from_mins(1));
    assert_eq!(lane.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_takes_no_place() {
    let house = house(QUICK, 10);
    let lane = house.serve("v1", |draft| draft.instances.maximum = 1).await;
    for _ in 0..50 {
        let gone = tokio::time::timeout(Duration::from_millis(1), get(&lane, "a")).await;
        assert!(gone.is_err());
    }
    assert_eq!(lane.load().1, 0);
    assert!(get(&lane, "a").await.is_ok());
    assert_eq!(lane.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_instance_gets_no_more_at_once_than_it_takes() {
    let house = house(Behaviour { answers_in: Duration::from_secs(1), ..QUICK }, 100);
    let lane = house
        .serve("v1", |draft| {
            draft.concurrency = 3;
            draft.instances.maximum = 1;
        })
        .await;
    let engine = Arc::clone(&lane);
    house.tracker.spawn(async move {
        for _ in 0..100 {
            assert!(engine.load().0 <= 3);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let began = tokio::time::Instant::now();
    assert!(house.flood(&lane, 9).await.iter().all(Result::is_ok));
    assert!(began.elapsed() >= Duration::from_secs(3), "three after three after three");
}

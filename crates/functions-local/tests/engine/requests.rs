//! Requests by the activator to real instances: from nothing, through crashes, and to functions that misbehave.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use stoa_functions::activator::{Activator, Lane, Options, Refusal};
use stoa_functions::{CallError, Draft, Engine as _, Isolation, RequestBody, Spec, State, Version, VersionId};
use tokio_util::task::TaskTracker;

use crate::support::{APP, House, in_time};

struct Served {
    house: House,
    activator: Activator,
    tracker: TaskTracker,
}

impl Served {
    async fn new() -> Self {
        let house = House::new().await;
        let tracker = TaskTracker::new();
        let activator = Activator::new(house.engine.clone(), Options::default(), tracker.clone());
        Self { house, activator, tracker }
    }

    async fn serve(&self, name: &str, app: &str, change: impl FnOnce(&mut Draft)) -> Arc<Lane> {
        let mut draft = Draft {
            command: ["python3", "app.py"].map(str::to_owned).to_vec(),
            isolation: Isolation { landlock: true, ..Isolation::NAMESPACES },
            cpu_millis: 1_000,
            ..Draft::default()
        };
        change(&mut draft);
        let version = Version {
            id: VersionId::new(name).unwrap(),
            spec: Arc::new(Spec::try_from(draft).unwrap()),
            code: self.house.code(name, &[("app.py", app)]),
            volumes: Vec::new(),
        };
        self.activator.serve(version).await.unwrap()
    }

    async fn end(self) {
        self.house.end().await;
        self.tracker.close();
        in_time("the tasks", self.tracker.wait()).await;
    }
}

#[tokio::test]
async fn the_first_answer_says_what_the_start_took() {
    let served = Served::new().await;
    let lane = served.serve("tells", APP, |_| {}).await;
    for first in [true, false] {
        let body: RequestBody = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
        let request = http::Request::get("/").header("host", "f").body(body).unwrap();
        let response = in_time("an answer", lane.call("test", request)).await.unwrap();
        let by = response.extensions().get::<stoa_functions::activator::Served>().unwrap().clone();
        response.into_body().collect().await.unwrap();
        assert_eq!(by.instance.as_str(), "tells-1");
        let parts = by.cold_start.map(|cold| [cold.sandbox, cold.spawn, cold.init, cold.first_byte.unwrap()]);
        assert_eq!(parts.is_some(), first);
        assert!(parts.is_none_or(|parts| parts.iter().all(|part| !part.is_zero())), "{parts:?}");
    }
    served.end().await;
}

async fn call(lane: &Arc<Lane>, method: &str, body: &str) -> Result<String, Refusal> {
    let body: RequestBody = if body.is_empty() {
        Empty::<Bytes>::new().map_err(Into::into).boxed_unsync()
    } else {
        Full::new(Bytes::from(body.to_owned())).map_err(Into::into).boxed_unsync()
    };
    let request = http::Request::builder().method(method).uri("/a").header("host", "f").body(body).unwrap();
    let response = lane.call("test", request).await.map_err(|rejected| rejected.refusal)?;
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn from_nothing_to_answers_and_through_freezing() {
    let served = Served::new().await;
    let lane = served
        .serve("cold", APP, |draft| {
            draft.concurrency = 8;
            draft.instances.maximum = 2;
            draft.idle.freeze_ms = 50;
        })
        .await;
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..40 {
        let (lane, answers) = (Arc::clone(&lane), answers.clone());
        served.tracker.spawn(async move { answers.send(call(&lane, "GET", "").await).unwrap() });
    }
    drop(answers);
    while let Some(answer) = in_time("an answer", answered.recv()).await {
        assert_eq!(answer.unwrap(), "hello from /a");
    }
    let version = VersionId::new("cold").unwrap();
    let mut seen = served.house.engine.instances(&version).unwrap();
    let frozen = seen.wait_for(|all| all.iter().all(|one| one.state == State::Frozen));
    in_time("freezing", frozen).await.unwrap();
    assert_eq!(in_time("thawing", call(&lane, "GET", "")).await.unwrap(), "hello from /a");
    served.end().await;
}

#[tokio::test]
async fn a_crash_fails_its_own_request_and_the_next_is_served_by_another() {
    let served = Served::new().await;
    let lane = served.serve("crashes", APP, |_| {}).await;
    assert_eq!(call(&lane, "GET", "").await.unwrap(), "hello from /a");
    let crashed = in_time("the crash", call(&lane, "POST", "import os; os._exit(1)")).await;
    assert!(matches!(crashed, Err(Refusal::Call(CallError::Http(_)))), "{crashed:?}");
    // One that reaches the dying process still would share its fate, as nobody knows what came of it.
    served.house.until(&VersionId::new("crashes").unwrap(), |one| one.state.is_over()).await;
    for _ in 0..3 {
        assert_eq!(in_time("the next", call(&lane, "GET", "")).await.unwrap(), "hello from /a");
    }
    served.end().await;
}

#[tokio::test]
async fn a_failed_start_tells_what_the_function_wrote() {
    let served = Served::new().await;
    let lane = served.serve("fails", "raise RuntimeError('no luck')", |_| {}).await;
    let failed = in_time("the failure", call(&lane, "GET", "")).await;
    assert!(matches!(&failed, Err(Refusal::StartFailed { log, .. }) if log.contains("no luck")), "{failed:?}");
    served.end().await;
}

/// Answers every connection with these bytes, then does as `after` says.
fn raw(answer: &str, after: &str) -> String {
    format!(
        "
import os, socket, threading, time
def serve(connection):
    connection.recv(65536)
    connection.sendall({answer})
    {after}
    connection.close()
listener = socket.create_server(('', int(os.environ['PORT'])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"
    )
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let served = Served::new().await;
    for (name, answer) in [
        ("garbage", "b'\\x00\\x01 nonsense\\r\\n\\r\\n'"),
        ("twice", "b'HTTP/1.1 200 OK\\r\\ncontent-length: 1\\r\\ncontent-length: 2\\r\\n\\r\\nab'"),
        ("short", "b'HTTP/1.1 200 OK\\r\\ncontent-length: 100\\r\\n\\r\\nab'"),
        ("headers", "b'HTTP/1.1 200 OK\\r\\n' + b'a: b\\r\\n' * 1000 + b'\\r\\n'"),
        ("endless-head", "b'HTTP/1.1 200 OK\\r\\na: ' + b'b' * 1000000"),
        ("nothing", "b''"),
    ] {
        let lane = served.serve(name, &raw(answer, "pass"), |_| {}).await;
        let answer = in_time("the error", call(&lane, "GET", "")).await;
        assert!(matches!(answer, Err(Refusal::Call(CallError::Http(_)))), "{name}: {answer:?}");
        assert_eq!(lane.load(), (0, 0), "{name}");
    }
    served.end().await;
}

#[tokio::test]
async fn who_never_answers_is_silent_or_never_ends_is_cut_off() {
    let served = Served::new().await;
    let head = "b'HTTP/1.1 200 OK\\r\\n\\r\\nabc'";
    let forever = "while True: connection.sendall(b'x' * 65536)";
    let lane = served.serve("mute", &raw("b''", "time.sleep(1000)"), |draft| draft.timeouts.response_ms = 200).await;
    let answer = in_time("no answer", call(&lane, "GET", "")).await;
    assert!(matches!(answer, Err(Refusal::Call(CallError::NoAnswer))), "{answer:?}");
    let lane = served.serve("silent", &raw(head, "time.sleep(1000)"), |draft| draft.timeouts.silence_ms = 200).await;
    let answer = in_time("silence", call(&lane, "GET", "")).await;
    assert!(matches!(answer, Err(Refusal::Call(CallError::Silence))), "{answer:?}");
    let lane = served.serve("endless", &raw(head, forever), |draft| draft.timeouts.total_ms = Some(300)).await;
    let answer = in_time("the end", call(&lane, "GET", "")).await;
    assert!(matches!(answer, Err(Refusal::Call(CallError::TooLong))), "{answer:?}");
    assert_eq!(lane.load(), (0, 0));
    served.end().await;
}

#[tokio::test]
async fn a_reader_that_goes_away_frees_its_place() {
    let served = Served::new().await;
    let forever = "while True: connection.sendall(b'x' * 65536)";
    let app = raw("b'HTTP/1.1 200 OK\\r\\n\\r\\nabc'", forever);
    let lane = served.serve("left", &app, |draft| draft.instances.maximum = 1).await;
    for _ in 0..3 {
        let body: RequestBody = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
        let request = http::Request::get("/").header("host", "f").body(body).unwrap();
        let response = in_time("the head", lane.call("test", request)).await.unwrap();
        assert_eq!(lane.load(), (1, 0));
        drop(response);
        assert_eq!(lane.load(), (0, 0));
    }
    served.end().await;
}

#[tokio::test]
async fn another_version_takes_over_without_a_loss() {
    let served = Served::new().await;
    let old = served.serve("v1", APP, |draft| draft.concurrency = 4).await;
    let slow = "import time; time.sleep(0.2); answer = 'old'";
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..20 {
        let (old, answers) = (Arc::clone(&old), answers.clone());
        served.tracker.spawn(async move { answers.send(call(&old, "POST", slow).await).unwrap() });
    }
    drop(answers);
    while old.load().0 == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let new = served.serve("v2", APP, |_| {}).await;
    in_time("the old version's end", served.activator.retire(&VersionId::new("v1").unwrap())).await.unwrap();
    let mut count = 0;
    while let Some(answer) = answered.recv().await {
        assert_eq!(answer.unwrap(), "old");
        count += 1;
    }
    assert_eq!(count, 20);
    assert_eq!(in_time("the new version", call(&new, "GET", "")).await.unwrap(), "hello from /a");
    served.end().await;
}

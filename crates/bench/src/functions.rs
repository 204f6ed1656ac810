//! `functions`: starts, thaws, claims, warm requests and many instances of functions, in turns with bare processes of the same
//! interpreters, which are the floor. A second line of each start is beside what it is designed for.

mod floor;
mod memory;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use stoa_functions::activator::{Activator, Options as Activation};
use stoa_functions::{
    Connection, Draft, Engine as _, InstanceId, Isolation, RequestBody, Scale, Spec, State, Version, VersionId,
};
use stoa_functions_local::{LocalEngine, Options};
use stoa_model::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;

use crate::report::{Better, Line, Report, float, median, percentile};
use floor::Bare;

const ROUNDS: usize = 20;
const WARM_REQUESTS: usize = 1_000;
const MANY: u32 = 20;
const DEPLOYED: usize = 300;
const FROZEN: u32 = 100;

const PYTHON: &str = "
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('content-length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";
const NODE: &str = "
require('http').createServer((request, response) => response.end('ok')).listen(process.env.PORT, '127.0.0.1');
";

/// An interpreter, and the names and targets of what is measured with it.
struct Kind {
    program: &'static str,
    file: &'static str,
    text: &'static str,
    cold: [&'static str; 2],
    small: [&'static str; 2],
    claim: [&'static str; 2],
    thaw: [&'static str; 2],
    cold_target_ms: f64,
}

const KINDS: [Kind; 2] = [
    Kind {
        program: "python3",
        file: "app.py",
        text: PYTHON,
        cold: ["python-cold-p50", "python-cold-p95"],
        small: ["python-cold-0.05-vcpu-p50", "python-cold-0.05-vcpu-p95"],
        claim: ["python-claim-p50", "python-claim-p95"],
        thaw: ["python-thaw-p50", "python-thaw-p95"],
        cold_target_ms: 100.0,
    },
    Kind {
        program: "node",
        file: "app.js",
        text: NODE,
        cold: ["node-cold-p50", "node-cold-p95"],
        small: ["node-cold-0.05-vcpu-p50", "node-cold-0.05-vcpu-p95"],
        claim: ["node-claim-p50", "node-claim-p95"],
        thaw: ["node-thaw-p50", "node-thaw-p95"],
        cold_target_ms: 150.0,
    },
];
/// Its packages are what takes its time.
const FASTAPI: Kind = Kind {
    program: "python3",
    file: "app.py",
    text: "
import os
import fastapi, uvicorn
app = fastapi.FastAPI()
@app.get('/')
def root():
    return 'ok'
uvicorn.run(app, host='127.0.0.1', port=int(os.environ['PORT']), log_level='warning')
",
    cold: ["fastapi-cold-p50", "fastapi-cold-p95"],
    small: ["fastapi-cold-0.05-vcpu-p50", "fastapi-cold-0.05-vcpu-p95"],
    claim: ["fastapi-prepared-p50", "fastapi-prepared-p95"],
    thaw: ["fastapi-thaw-p50", "fastapi-thaw-p95"],
    cold_target_ms: 1_000.0,
};
const FASTAPI_PACKAGES: [&str; 2] = ["fastapi", "uvicorn"];
const PREPARED_TARGET_MS: f64 = 50.0;
/// What one that waits needs to read its own libraries, and those of FastAPI.
const TO_WAIT: Duration = Duration::from_millis(150);
const TO_PREPARE: Duration = Duration::from_millis(2_500);

const THAW_TARGET_MS: f64 = 5.0;
const CLAIM_TARGET_MS: f64 = 25.0;

pub(crate) async fn run(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // As the server itself runs them.
    let init = std::env::current_exe()?.with_file_name("stoa");
    ensure!(init.is_file(), "{} is not there: build it first", init.display());
    let bench = Bench::start(folder.path(), &init, "cold", 0).await?;
    deployed(&bench, report).await?;
    for kind in &KINDS {
        starts(&bench, kind, report).await?;
        thaws(&bench, kind, report).await?;
    }
    warm(&bench, report).await?;
    many(&bench, report).await?;
    bench.engine.shut_down().await;
    let bench = Bench::start(folder.path(), &init, "pool", 1).await?;
    for kind in &KINDS {
        let version = bench.version(&format!("{}-pool", kind.program), kind, |_| {}).await?;
        let waits = || bench.engine.waiting() == KINDS.len();
        claims(&bench, kind, &version, (waits, TO_WAIT, CLAIM_TARGET_MS), report).await?;
    }
    bench.engine.shut_down().await;
    let bench = Bench::start(folder.path(), &init, "prepared", 0).await?;
    let version = bench.fastapi("fastapi", |draft| draft.prepared = 1).await?;
    let waits = || bench.engine.prepared(&version.id) == 1;
    claims(&bench, &FASTAPI, &version, (waits, TO_PREPARE, PREPARED_TARGET_MS), report).await?;
    bench.engine.shut_down().await;
    Ok(())
}

fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

/// The median beside the floor's, and the 95th percentile beside the target.
fn add(
    report: &mut Report,
    cases: [&'static str; 2],
    times: &[f64],
    floor: (&'static str, f64),
    target: f64,
) -> anyhow::Result<()> {
    let [middle, slow] = cases;
    let runs = times.len();
    report.add(&Line::new(middle, (median(times), "ms"), floor, Better::Lower, runs).of("functions"))?;
    let value = (percentile(times, 0.95), "ms");
    Ok(report.add(&Line::new(slow, value, ("target", target), Better::Lower, runs).of("functions"))?)
}

struct Bench {
    engine: Arc<LocalEngine>,
    folder: PathBuf,
}

impl Bench {
    async fn start(folder: &Path, init: &Path, name: &str, waiting: usize) -> anyhow::Result<Self> {
        let options = Options { waiting, ..Options::new(folder.join(name), init.to_owned()) };
        let engine = LocalEngine::start(options, Arc::new(SystemClock)).await?;
        Ok(Self { engine, folder: folder.join(format!("{name}-code")) })
    }

    async fn version(&self, name: &str, kind: &Kind, change: impl FnOnce(&mut Draft)) -> anyhow::Result<Version> {
        let code = self.folder.join(name);
        std::fs::create_dir_all(&code)?;
        std::fs::write(code.join(kind.file), kind.text)?;
        let mut draft = Draft {
            command: vec![kind.program.to_owned(), kind.file.to_owned()],
            cpu_millis: 1_000,
            isolation: Isolation::NAMESPACES,
            ..Draft::default()
        };
        change(&mut draft);
        let spec = Arc::new(Spec::try_from(draft)?);
        let version = Version { id: VersionId::new(name)?, spec, code, volumes: Vec::new() };
        self.engine.apply(version.clone()).await?;
        Ok(version)
    }

    async fn fastapi(&self, name: &str, change: impl FnOnce(&mut Draft)) -> anyhow::Result<Version> {
        let packages = self.folder.join(name).join("python_modules");
        let installed = tokio::process::Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(packages)
            .args(FASTAPI_PACKAGES)
            .status()
            .await?;
        ensure!(installed.success(), "FastAPI could not be installed");
        self.version(name, &FASTAPI, change).await
    }

    async fn scale(&self, version: &VersionId, instances: u32) -> anyhow::Result<()> {
        Ok(self.engine.scale(version, Scale { instances, leaving: Vec::new() }).await?)
    }

    async fn ready(&self, version: &VersionId, instances: usize) -> anyhow::Result<Vec<InstanceId>> {
        let mut seen = self.engine.instances(version)?;
        let ready = |one: &&stoa_functions::Instance| one.state == State::Ready;
        let found = seen.wait_for(|all| all.iter().filter(ready).count() >= instances).await?;
        Ok(found.iter().filter(ready).map(|one| one.id.clone()).collect())
    }

    /// From being wanted to the first byte, in milliseconds.
    async fn cold(&self, version: &VersionId) -> anyhow::Result<(InstanceId, f64)> {
        let began = Instant::now();
        self.scale(version, 1).await?;
        let ready = self.ready(version, 1).await?.pop().context("none is ready")?;
        first_byte(&mut *self.engine.connect(&ready).await?).await?;
        Ok((ready, since(began)))
    }

    async fn gone(&self, version: &VersionId) -> anyhow::Result<()> {
        self.scale(version, 0).await?;
        let mut seen = self.engine.instances(version)?;
        seen.wait_for(|all| all.iter().all(|one| one.state.is_over())).await?;
        Ok(())
    }
}

async fn first_byte(connection: &mut (impl Connection + ?Sized)) -> anyhow::Result<()> {
    connection.write_all(b"GET / HTTP/1.1\r\nHost: f\r\n\r\n").await?;
    connection.read_u8().await?;
    Ok(())
}

async fn starts(bench: &Bench, kind: &Kind, report: &mut Report) -> anyhow::Result<()> {
    let version = bench.version(&format!("{}-cold", kind.program), kind, |_| {}).await?;
    let small = bench.version(&format!("{}-small", kind.program), kind, |draft| draft.cpu_millis = 50).await?;
    let (mut bare, mut cold, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (process, took) = Bare::start(kind, &version.code).await?;
        drop(process);
        bare.push(took);
        for (version, times) in [(&version, &mut cold), (&small, &mut slow)] {
            times.push(bench.cold(&version.id).await?.1);
            bench.gone(&version.id).await?;
        }
    }
    let floor = ("bare process", median(&bare));
    add(report, kind.cold, &cold, floor, kind.cold_target_ms)?;
    add(report, kind.small, &slow, floor, kind.cold_target_ms)
}

async fn thaws(bench: &Bench, kind: &Kind, report: &mut Report) -> anyhow::Result<()> {
    let version = bench.version(&format!("{}-thaw", kind.program), kind, |_| {}).await?;
    let (instance, _) = bench.cold(&version.id).await?;
    let (mut thaw, mut awake) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS * 2 {
        let began = Instant::now();
        first_byte(&mut *bench.engine.connect(&instance).await?).await?;
        awake.push(since(began));
        bench.engine.freeze(&instance).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        bench.engine.thaw(&instance).await?;
        first_byte(&mut *bench.engine.connect(&instance).await?).await?;
        thaw.push(since(began));
    }
    bench.gone(&version.id).await?;
    add(report, kind.thaw, &thaw, ("awake", median(&awake)), THAW_TARGET_MS)
}

/// Starts of what has waited: until one does, and how long it has had then.
async fn claims(
    bench: &Bench,
    kind: &Kind,
    version: &Version,
    (waits, ready, target): (impl Fn() -> bool, Duration, f64),
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut bare, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        while !waits() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (process, took) = Bare::start(kind, &version.code).await?;
        drop(process);
        bare.push(took);
        tokio::time::sleep(ready).await;
        times.push(bench.cold(&version.id).await?.1);
        let seen = bench.engine.instances(&version.id)?;
        let from_pool = seen.borrow().iter().any(|one| one.state == State::Ready && one.cold_start.from_pool);
        ensure!(from_pool, "none was taken from the pool");
        bench.gone(&version.id).await?;
    }
    add(report, kind.claim, &times, ("bare process", median(&bare)), target)
}

/// Requests one after the other on kept connections: to a bare process, and by the activator into a sandbox.
async fn warm(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let kind = &KINDS[1];
    let version = bench
        .version("node-warm", kind, |draft| {
            draft.cpu_millis = 2_000;
            draft.instances.minimum = 1;
        })
        .await?;
    let (process, _) = Bare::start(kind, &version.code).await?;
    let activator = Activator::new(bench.engine.clone(), Activation::default(), TaskTracker::new());
    let lane = activator.serve(version.clone()).await?;
    bench.ready(&version.id, 1).await?;
    let mut outside = process.connect().await?;
    let (mut floor, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..WARM_REQUESTS {
        let began = Instant::now();
        exchange(&mut outside).await?;
        floor.push(since(began));
        let body: RequestBody = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
        let request = http::Request::get("/").header("host", "f").body(body)?;
        let began = Instant::now();
        let response = lane.call("bench", request).await.map_err(|rejected| rejected.refusal)?;
        response.into_body().collect().await?;
        whole.push(since(began));
    }
    activator.retire(&version.id).await?;
    let floor = ("bare process", median(&floor));
    let measured = Line::new("warm-request", (median(&whole), "ms"), floor, Better::Lower, WARM_REQUESTS);
    Ok(report.add(&measured.of("functions"))?)
}

/// Three hundred that are deployed and not called. First of all, while nothing else takes or gives back memory.
async fn deployed(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let before = memory::of([std::process::id()])?;
    for number in 0..DEPLOYED {
        bench.version(&format!("deployed-{number}"), &KINDS[0], |_| {}).await?;
    }
    let mib = memory::of([std::process::id()])? - before;
    ensure!(mib > 0.0, "what is deployed takes no memory that could be seen");
    let each = mib * 1_024.0 / float(u64::try_from(DEPLOYED)?);
    let line = Line::new("deployed-memory-each", (each, "KiB"), ("target", 64.0), Better::Lower, DEPLOYED);
    Ok(report.add(&line.of("functions"))?)
}

/// Twenty at once, and a hundred that are frozen.
async fn many(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let kind = &KINDS[0];
    let version = bench.version("python-many", kind, |draft| draft.memory_mib = 128).await?;
    let began = Instant::now();
    let mut bare = Vec::new();
    for starting in std::iter::repeat_with(|| Bare::start(kind, &version.code)).take(usize::try_from(MANY)?) {
        bare.push(starting);
    }
    let bare = futures_util::future::try_join_all(bare).await?;
    let floor = since(began);
    let bare_memory = memory::of(bare.iter().map(|(process, _)| process.id()))? / f64::from(MANY);
    drop(bare);
    let began = Instant::now();
    bench.scale(&version.id, MANY).await?;
    bench.ready(&version.id, usize::try_from(MANY)?).await?;
    let line = Line::new("twenty-at-once", (since(began), "ms"), ("bare processes", floor), Better::Lower, 1);
    report.add(&line.of("functions"))?;
    bench.scale(&version.id, FROZEN).await?;
    let instances = bench.ready(&version.id, usize::try_from(FROZEN)?).await?;
    for instance in &instances {
        bench.engine.freeze(instance).await?;
    }
    let frozen = memory::of(memory::in_sandboxes("app.py")?)? / f64::from(FROZEN);
    let floor = ("bare process", bare_memory);
    let line = Line::new("frozen-memory-each", (frozen, "MiB"), floor, Better::Lower, usize::try_from(FROZEN)?);
    report.add(&line.of("functions"))?;
    bench.gone(&version.id).await
}

async fn exchange(connection: &mut (impl Connection + ?Sized)) -> anyhow::Result<()> {
    connection.write_all(b"GET / HTTP/1.1\r\nHost: f\r\n\r\n").await?;
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\nok") && !got.ends_with(b"2\r\nok\r\n0\r\n\r\n") {
        ensure!(connection.read_buf(&mut got).await? > 0, "the connection was closed");
    }
    Ok(())
}

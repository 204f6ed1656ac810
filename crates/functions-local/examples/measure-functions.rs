//! Measures starts, thaws and warm requests beside bare processes of the same interpreters, in turns in one run:
//! `measure-functions INIT [ROUNDS]`, with the path of `stoa-function-init`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use stoa_functions::activator::{Activator, Options as Activation};
use stoa_functions::{
    ColdStart, Connection, Draft, Engine as _, InstanceId, Isolation, RequestBody, Scale, Spec, State, Version,
    VersionId,
};
use stoa_functions_local::{LocalEngine, Options};
use stoa_model::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

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

const KINDS: [(&str, &str, &str); 2] = [("python3", "app.py", PYTHON), ("node", "app.js", NODE)];

/// In milliseconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn add(&mut self, since: Instant) {
        self.0.push(since.elapsed().as_secs_f64() * 1_000.0);
    }

    fn show(&mut self, name: &str) -> Outcome<()> {
        self.0.sort_by(f64::total_cmp);
        let at = |percent: usize| self.0.get((self.0.len() - 1) * percent / 100).copied().unwrap_or(f64::NAN);
        writeln!(
            std::io::stdout(),
            "{name:<48} min {:8.2}   median {:8.2}   p95 {:8.2} ms   ({} times)",
            at(0),
            at(50),
            at(95),
            self.0.len()
        )?;
        Ok(())
    }
}

async fn first_byte(connection: &mut (impl Connection + ?Sized)) -> Outcome<()> {
    connection.write_all(b"GET / HTTP/1.1\r\nHost: f\r\n\r\n").await?;
    let mut byte = [0; 1];
    connection.read_exact(&mut byte).await?;
    Ok(())
}

/// A process without anything around it, until its first byte.
async fn bare(program: &str, folder: &Path, file: &str, port: u16, times: &mut Times) -> Outcome<Child> {
    let began = Instant::now();
    let child = Command::new(format!("/usr/bin/{program}"))
        .arg(file)
        .current_dir(folder)
        .env_clear()
        .env("PORT", port.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut connection = loop {
        match TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    first_byte(&mut connection).await?;
    times.add(began);
    Ok(child)
}

struct Bench {
    engine: Arc<LocalEngine>,
    folder: PathBuf,
}

impl Bench {
    fn version(&self, name: &str, kind: (&str, &str, &str), change: impl FnOnce(&mut Draft)) -> Outcome<Version> {
        let (program, file, text) = kind;
        let code = self.folder.join(name);
        std::fs::create_dir_all(&code)?;
        std::fs::write(code.join(file), text)?;
        let mut draft = Draft {
            command: vec![program.to_owned(), file.to_owned()],
            cpu_millis: 1_000,
            isolation: Isolation::NAMESPACES,
            ..Draft::default()
        };
        change(&mut draft);
        let spec = Arc::new(Spec::try_from(draft)?);
        Ok(Version { id: VersionId::new(name)?, spec, code, volumes: Vec::new() })
    }

    async fn scale(&self, version: &VersionId, instances: u32) -> Outcome<()> {
        Ok(self.engine.scale(version, Scale { instances, leaving: Vec::new() }).await?)
    }

    /// From being wanted to the first byte.
    async fn cold(&self, version: &VersionId, times: &mut Times) -> Outcome<(InstanceId, ColdStart)> {
        let mut seen = self.engine.instances(version)?;
        let began = Instant::now();
        self.scale(version, 1).await?;
        let found = seen.wait_for(|all| all.iter().any(|one| one.state == State::Ready)).await?;
        let ready = found.iter().find(|one| one.state == State::Ready).cloned().ok_or("none is ready")?;
        drop(found);
        let mut connection = self.engine.connect(&ready.id).await?;
        first_byte(&mut *connection).await?;
        times.add(began);
        Ok((ready.id, ready.cold_start))
    }

    async fn gone(&self, version: &VersionId) -> Outcome<()> {
        self.scale(version, 0).await?;
        let mut seen = self.engine.instances(version)?;
        seen.wait_for(|all| all.iter().all(|one| one.state.is_over())).await?;
        Ok(())
    }
}

async fn start(folder: &Path, init: &Path, name: &str, waiting: usize) -> Outcome<Bench> {
    let options = Options { waiting, ..Options::new(folder.join(name), init.to_owned()) };
    let engine = LocalEngine::start(options, Arc::new(SystemClock)).await?;
    Ok(Bench { engine, folder: folder.join(format!("{name}-code")) })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args_os().skip(1);
    let init = PathBuf::from(arguments.next().ok_or("the first argument is the path of stoa-function-init")?);
    let rounds: usize = arguments.next().map_or(Ok(20), |rounds| rounds.to_string_lossy().parse())?;
    let folder = tempfile::tempdir()?;
    let bench = start(folder.path(), &init, "cold", 0).await?;
    writeln!(std::io::stdout(), "{}", bench.engine.capabilities())?;
    for kind in KINDS {
        starts(&bench, kind, rounds).await?;
    }
    for kind in KINDS {
        thaws(&bench, kind, rounds).await?;
    }
    warm(&bench, rounds * 50).await?;
    bench.engine.shut_down().await;
    let bench = start(folder.path(), &init, "pool", 1).await?;
    for kind in KINDS {
        claims(&bench, kind, rounds).await?;
    }
    bench.engine.shut_down().await;
    Ok(())
}

async fn starts(bench: &Bench, kind: (&str, &str, &str), rounds: usize) -> Outcome<()> {
    let (program, file, _) = kind;
    let version = bench.version(&format!("{program}-cold"), kind, |_| {})?;
    let small = bench.version(&format!("{program}-small"), kind, |draft| draft.cpu_millis = 50)?;
    bench.engine.apply(version.clone()).await?;
    bench.engine.apply(small.clone()).await?;
    let (mut floor, mut cold, mut slow) = (Times::default(), Times::default(), Times::default());
    let mut parts = [Times::default(), Times::default(), Times::default()];
    for round in 0..rounds {
        let port = 20_000 + u16::try_from(round)?;
        let mut child = bare(program, &version.code, file, port, &mut floor).await?;
        child.kill()?;
        child.wait()?;
        let (_, start) = bench.cold(&version.id, &mut cold).await?;
        for (times, part) in parts.iter_mut().zip([start.sandbox, start.spawn, start.init]) {
            times.0.push(part.as_secs_f64() * 1_000.0);
        }
        bench.gone(&version.id).await?;
        bench.cold(&small.id, &mut slow).await?;
        bench.gone(&small.id).await?;
    }
    floor.show(&format!("{program}: bare process to first byte"))?;
    cold.show(&format!("{program}: cold start to first byte"))?;
    for (times, part) in parts.iter_mut().zip(["sandbox", "spawn", "init"]) {
        times.show(&format!("{program}:   of it {part}"))?;
    }
    slow.show(&format!("{program}: the same at 0.05 vCPU"))
}

async fn thaws(bench: &Bench, kind: (&str, &str, &str), rounds: usize) -> Outcome<()> {
    let version = bench.version(&format!("{}-thaw", kind.0), kind, |_| {})?;
    bench.engine.apply(version.clone()).await?;
    let (instance, _) = bench.cold(&version.id, &mut Times::default()).await?;
    let (mut freeze, mut thaw) = (Times::default(), Times::default());
    for _ in 0..rounds {
        let began = Instant::now();
        bench.engine.freeze(&instance).await?;
        freeze.add(began);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        bench.engine.thaw(&instance).await?;
        let mut connection = bench.engine.connect(&instance).await?;
        first_byte(&mut *connection).await?;
        thaw.add(began);
    }
    bench.gone(&version.id).await?;
    freeze.show(&format!("{}: to freeze", kind.0))?;
    thaw.show(&format!("{}: thaw to first byte", kind.0))
}

async fn claims(bench: &Bench, kind: (&str, &str, &str), rounds: usize) -> Outcome<()> {
    let version = bench.version(&format!("{}-pool", kind.0), kind, |_| {})?;
    bench.engine.apply(version.clone()).await?;
    let mut times = Times::default();
    for _ in 0..rounds {
        while bench.engine.waiting() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Waiting is when it has read its own libraries.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let (_, start) = bench.cold(&version.id, &mut times).await?;
        if !start.from_pool {
            return Err("none was taken from the pool".into());
        }
        bench.gone(&version.id).await?;
    }
    times.show(&format!("{}: claim of the pool to first byte", kind.0))
}

/// Requests one after the other on a kept connection: to a bare process, to the same in a sandbox by its connection alone,
/// and by the activator.
async fn warm(bench: &Bench, requests: usize) -> Outcome<()> {
    let kind = ("node", "app.js", NODE);
    let version = bench.version("node-warm", kind, |draft| {
        draft.cpu_millis = 2_000;
        draft.instances.minimum = 1;
    })?;
    let mut child = bare(kind.0, &version.code, kind.1, 19_999, &mut Times::default()).await?;
    let tracker = TaskTracker::new();
    let activator = Activator::new(bench.engine.clone(), Activation::default(), tracker.clone());
    let lane = activator.serve(version.clone()).await?;
    let mut seen = bench.engine.instances(&version.id)?;
    let found = seen.wait_for(|all| all.iter().any(|one| one.state == State::Ready)).await?;
    let instance = found.iter().find(|one| one.state == State::Ready).map(|one| one.id.clone()).ok_or("not ready")?;
    drop(found);
    let mut outside: Box<dyn Connection> = Box::new(TcpStream::connect(("127.0.0.1", 19_999)).await?);
    let mut inside = bench.engine.connect(&instance).await?;
    let (mut floor, mut direct, mut whole, mut new) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..requests {
        for (connection, times) in [(&mut outside, &mut floor), (&mut inside, &mut direct)] {
            let began = Instant::now();
            exchange(&mut **connection).await?;
            times.add(began);
        }
        let body: RequestBody = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
        let request = http::Request::get("/").header("host", "f").body(body)?;
        let began = Instant::now();
        let response = lane.call("bench", request).await.map_err(|rejected| rejected.refusal)?;
        response.into_body().collect().await?;
        whole.add(began);
        let began = Instant::now();
        exchange(&mut *bench.engine.connect(&instance).await?).await?;
        new.add(began);
    }
    child.kill()?;
    child.wait()?;
    activator.retire(&version.id).await?;
    floor.show("node: warm request to a bare process")?;
    direct.show("node: the same into a sandbox")?;
    whole.show("node: the same by the activator")?;
    new.show("node: the same with a new connection")
}

async fn exchange(connection: &mut dyn Connection) -> Outcome<()> {
    connection.write_all(b"GET / HTTP/1.1\r\nHost: f\r\n\r\n").await?;
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\nok") && !got.ends_with(b"2\r\nok\r\n0\r\n\r\n") {
        if connection.read_buf(&mut got).await? == 0 {
            return Err("the connection was closed".into());
        }
    }
    Ok(())
}

//! Functions that mean harm, deployed as anybody's: what they try is refused, what they break is told, and everything else
//! goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Browser, Server};

/// Runs what it is sent, and answers with what that leaves in `answer`.
const RUNS: &str = include_str!("../../../functions-local/tests/engine/app.py");
/// System calls, and what each comes to.
#[cfg(target_arch = "x86_64")]
const CALLS: &str = include_str!("../../../functions-local/tests/engine/calls.py");
/// Answers with bytes that are no good answer.
const ANSWERS: &str = include_str!("hostile/answers.py");

struct House {
    folder: tempfile::TempDir,
    server: Server,
    owner: Browser,
}

impl House {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&[("STOA_DATA_DIR", folder.path().to_str().unwrap())]);
        let owner = Browser::sign_in(server.address).await;
        Self { folder, server, owner }
    }

    /// A function of this one file, by its path.
    async fn deploy(&self, name: &str, source: &str, settings: Value) -> String {
        let made = self.owner.post("/api/v1/functions", json!({ "name": name, "template": "python-agent" })).await;
        let function = format!("/api/v1/functions/{}", made["id"].as_str().unwrap());
        let revision = self.owner.get(&function).await["revision"].clone();
        let code = json!({ "revision": revision, "changes": [{ "path": "app.py", "text": source }] });
        let (status, _, body) = self.owner.send(Method::PUT, &format!("{function}/code"), Some(&code)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        self.set(&function, settings).await;
        function
    }

    async fn set(&self, function: &str, settings: Value) {
        let mut shown = self.owner.get(function).await;
        shown["settings"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let change = json!({ "settings": shown["settings"], "revision": shown["revision"] });
        let (status, _, body) = self.owner.send(Method::PATCH, function, Some(&change)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    async fn call(&self, function: &str, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let asked = json!({ "target": "latest", "method": method, "path": path, "body": body });
        let (status, _, body) = self.owner.send(Method::POST, &format!("{function}/try"), Some(&asked)).await;
        (status, body)
    }

    /// Runs Python in it, and gives what that leaves in `answer`, or its error.
    async fn run(&self, function: &str, code: &str) -> String {
        let (status, answer) = self.call(function, "POST", "/", code).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer.as_str().map_or_else(|| answer.to_string(), str::to_owned)
    }

    async fn answers(&self, function: &str) {
        let (status, answer) = self.call(function, "GET", "/", "").await;
        assert_eq!((status, answer), (StatusCode::OK, json!("hello from /")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reads_nothing_of_the_server_or_of_other_functions() {
    let house = House::start().await;
    let other = house.deploy("other", RUNS, json!({})).await;
    let secret = json!({ "value": "hunter2" });
    house.owner.send(Method::PUT, &format!("{other}/secrets/PASSWORD"), Some(&secret)).await;
    house.answers(&other).await;
    let red = house.deploy("red", RUNS, json!({})).await;
    let data = house.folder.path().to_str().unwrap();
    let mut places = vec![data.to_owned(), "/etc/shadow".to_owned(), "/root".to_owned(), "/var/log".to_owned()];
    let mut files = Vec::new();
    for entry in walk(house.folder.path()) {
        files.push(entry.to_str().unwrap().to_owned());
    }
    assert!(files.iter().any(|file| file.ends_with("app.py")), "the other's code is there: {files:?}");
    assert!(files.len() > 5, "{files:?}");
    places.extend(files);
    let code = format!(
        "
import os
seen = []
for place in {places:?}:
    for attempt in (os.listdir, lambda place: open(place, 'rb').read(1)):
        try:
            attempt(place)
            seen.append(place)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            pass
for process in (name for name in os.listdir('/proc') if name.isdigit() and name != str(os.getpid())):
    for what in ('environ', 'mem', 'maps', 'root/etc/shadow'):
        try:
            seen.append(open(f'/proc/{{process}}/{{what}}', 'rb').read(1))
        except OSError:
            pass
answer = seen
"
    );
    assert_eq!(house.run(&red, &code).await, "[]");
    house.server.stop();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(walk(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_arch = "x86_64")]
async fn its_system_calls_are_refused() {
    let house = House::start().await;
    let red = house.deploy("red", RUNS, json!({})).await;
    let seen = house.run(&red, CALLS).await;
    let seen: BTreeMap<&str, &str> = seen.lines().filter_map(|line| line.split_once('=')).collect();
    for name in ["ptrace", "mount", "unshare user", "tiocsti with high bits", "io_uring_setup", "setns"] {
        assert!(seen.contains_key(name), "{name}: {seen:?}");
    }
    for (name, number) in seen {
        // Not permitted, or no such call.
        assert!(["1", "38"].contains(&number), "{name}: {number}");
    }
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reaches_nothing_but_what_it_may() {
    let house = House::start().await;
    let own = house.server.address.port();
    let alone = house.deploy("alone", RUNS, json!({})).await;
    let direct = |places: &[(&str, u16)]| {
        let places: Vec<_> = places.iter().map(|(host, port)| json!([host, port])).collect();
        format!(
            "
import socket
reached = []
for host, port in {}:
    try:
        socket.create_connection((host, port), 3).close()
        reached.append(host)
    except OSError:
        pass
answer = reached
",
            Value::from(places)
        )
    };
    let places = [
        ("127.0.0.1", own),
        ("localhost", own),
        ("169.254.169.254", 80),
        ("10.0.0.1", 80),
        ("172.17.0.1", 80),
        ("192.168.0.1", 80),
        ("1.1.1.1", 53),
    ];
    assert_eq!(house.run(&alone, &direct(&places)).await, "[]");

    // With the whole world allowed and a binding to this very server: what is private stays private.
    let bound = json!({
        "network": { "proxy": { "allowed": ["*", format!("127.0.0.1:{own}"), "169.254.169.254:80"] } },
        "bindings": [{ "name": "own", "host": "127.0.0.1", "port": own, "local_port": 5432 }],
    });
    house.set(&alone, bound).await;
    let through = format!(
        "
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['HTTP_PROXY'])
seen = []
for host in ('127.0.0.1:{own}', 'localhost:{own}', '[::1]:{own}', '169.254.169.254:80', '10.0.0.1:80', '0x7f000001:{own}', '[::ffff:127.0.0.1]:{own}'):
    for head in (f'CONNECT {{host}} HTTP/1.1\\r\\nHost: {{host}}\\r\\n\\r\\n', f'GET http://{{host}}/ HTTP/1.1\\r\\nHost: {{host}}\\r\\n\\r\\n'):
        with socket.create_connection((proxy.hostname, proxy.port), 3) as connection:
            connection.settimeout(10)
            connection.sendall(head.encode())
            seen.append(connection.recv(1024).split(b' ')[1].decode())
answer = sorted(set(seen))
"
    );
    let got = house.run(&alone, &through).await;
    assert!(!got.contains("'200'") && !got.contains("Error"), "{got}");
    let binding = "
import os, socket
with socket.create_connection((os.environ['OWN_HOST'], int(os.environ['OWN_PORT'])), 3) as connection:
    connection.settimeout(10)
    connection.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    try:
        answer = connection.recv(1024)
    except ConnectionResetError:
        answer = b''
";
    assert_eq!(house.run(&alone, binding).await, "b''", "the binding leads nowhere");
    let log = house.owner.get(&format!("{alone}/logs")).await.to_string();
    assert!(log.contains("169.254.169.254") && log.contains("not allowed"), "and its owner is told: {log}");
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_end_at_its_own_limits() {
    let house = House::start().await;
    let neighbour = house.deploy("neighbour", RUNS, json!({})).await;
    house.answers(&neighbour).await;
    let red = house.deploy("red", RUNS, json!({ "disk_mib": 64 })).await;

    let forks = "
import os, signal
children, failure = [], 'none'
try:
    while len(children) < 5000:
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        children.append(child)
except OSError as error:
    failure = error.strerror
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
answer = failure
";
    assert_eq!(house.run(&red, forks).await, "Resource temporarily unavailable");
    house.answers(&neighbour).await;
    let descriptors = "
import os
held, failure = [], 'none'
try:
    while len(held) < 100000:
        held.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error:
    failure = error.strerror
for descriptor in held:
    os.close(descriptor)
answer = failure
";
    assert_eq!(house.run(&red, descriptors).await, "Too many open files");
    let disk = "
import os
failure = 'none'
try:
    for number in range(4096):
        with open(f'/tmp/{number}', 'wb') as file:
            file.write(bytes(1 << 20))
except OSError as error:
    failure = error.strerror
for name in os.listdir('/tmp'):
    os.remove('/tmp/' + name)
answer = failure
";
    assert_eq!(house.run(&red, disk).await, "No space left on device");

    house.set(&red, json!({ "memory_mib": 128 })).await;
    let (status, problem) =
        house.call(&red, "POST", "/", "held = []\nwhile True: held.append(bytearray(1 << 20))").await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_GATEWAY, &json!("function_broken")), "{problem}");
    let begun = Instant::now();
    loop {
        let ended = house.owner.get(&format!("{red}/instances")).await.to_string();
        if ended.contains("out_of_memory") || ended.contains("more memory than it has") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{ended}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.answers(&neighbour).await;
    // A new instance takes its place.
    house.answers(&red).await;
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_will_not_end_is_ended() {
    let house = House::start().await;
    let mark = format!("stubborn-{}", std::process::id());
    let stubborn = format!(
        "
import os, signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
{RUNS}"
    );
    let settings = json!({ "stop_grace_ms": 300, "command": ["python3", "app.py", mark] });
    let red = house.deploy("red", &stubborn, settings).await;
    house.answers(&red).await;
    assert!(running(&mark) >= 2, "it and its child run");
    let (status, _, body) = house.owner.send(Method::DELETE, &red, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    let begun = Instant::now();
    while running(&mark) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    house.server.stop();
}

/// Processes of this machine whose command line has this word.
fn running(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let has = |entry: &std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
    };
    processes.filter(has).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_none_is_told_and_nothing_of_it_is_passed_on() {
    let house = House::start().await;
    let settings = json!({ "timeouts": {
        "start_ms": 20_000, "response_ms": 2_000, "silence_ms": 1_000, "total_ms": null,
    } });
    let red = house.deploy("red", ANSWERS, settings).await;
    for way in [
        "garbage",
        "nothing",
        "old",
        "bad-status",
        "split-header",
        "bare-header",
        "two-lengths",
        "negative-length",
        "endless-head",
        "many-headers",
    ] {
        let (status, problem) = house.call(&red, "GET", &format!("/{way}"), "").await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_GATEWAY, &json!("function_broken")),
            "{way}: {problem}"
        );
        assert!(!problem.to_string().contains("MARK"), "{way}: {problem}");
    }
    let (status, problem) = house.call(&red, "GET", "/silent", "").await;
    assert_eq!((status, &problem["code"]), (StatusCode::GATEWAY_TIMEOUT, &json!("function_timeout")), "{problem}");

    // What was begun can only be broken off.
    publish_to_all(&house, &red).await;
    for way in ["short", "bad-chunk", "stalls", "both-lengths"] {
        let (head, rest) = by_address(&house, &format!("/fn/red/{way}"), usize::MAX).await;
        assert!(!rest.ends_with("0\r\n\r\n"), "{way} looks whole: {head}\n{rest}");
    }
    let (_, answer) = house.call(&red, "GET", "/good", "").await;
    assert_eq!(answer, "good", "and it still answers");
    house.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_ends_with_whoever_reads_it_or_at_its_limit() {
    let house = House::start().await;
    let red =
        house.deploy("red", ANSWERS, json!({ "concurrency": 1, "instances": { "minimum": 0, "maximum": 1 } })).await;
    publish_to_all(&house, &red).await;
    // Whoever goes away leaves the only place free.
    let (head, some) = by_address(&house, "/fn/red/endless", 1 << 20).await;
    assert!(head.starts_with("HTTP/1.1 200") && some.len() >= 1 << 19, "{head}");
    let before = memory_kib(house.server.pid());
    let (_, some) = by_address(&house, "/fn/red/endless", 64 << 20).await;
    assert!(some.len() >= 63 << 20);
    let grown = memory_kib(house.server.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "the server has grown by {grown} KiB");
    let (status, answer) = house.call(&red, "GET", "/good", "").await;
    assert_eq!((status, answer), (StatusCode::OK, json!("good")));

    house
        .set(
            &red,
            json!({ "timeouts": { "start_ms": 20_000, "response_ms": 5_000, "silence_ms": 5_000, "total_ms": 500 } }),
        )
        .await;
    let published = house.owner.post(&format!("{red}/versions"), json!({})).await;
    let route = json!({ "version": published["number"] });
    let (status, _, body) = house.owner.send(Method::PUT, &format!("{red}/aliases/live"), Some(&route)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let begun = Instant::now();
    let (_, some) = by_address(&house, "/fn/red/endless", usize::MAX).await;
    assert!(!some.ends_with("0\r\n\r\n"), "it was broken off, and looks so");
    assert!(begun.elapsed() < Duration::from_secs(20));
    house.server.stop();
}

async fn publish_to_all(house: &House, function: &str) {
    house.owner.post(&format!("{function}/versions"), json!({})).await;
    let open = json!({ "http": { "access": "public", "alias": "live" } });
    let (status, _, body) = house.owner.send(Method::PATCH, function, Some(&open)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

/// The head of an answer, and its body as it is on the wire: to the end, or at least this much of it.
async fn by_address(house: &House, path: &str, at_least: usize) -> (String, String) {
    let mut socket = tokio::net::TcpStream::connect(house.server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let read = async { while got.len() < at_least && socket.read_buf(&mut got).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(Duration::from_mins(1), read).await.unwrap();
    let got = String::from_utf8_lossy(&got).into_owned();
    let (head, body) = got.split_once("\r\n\r\n").unwrap_or((&got, ""));
    (head.to_owned(), body.to_owned())
}

fn memory_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zip_file_lays_nothing_where_it_should_not() {
    use std::io::Write as _;
    use zip::write::SimpleFileOptions as Options;

    let house = House::start().await;
    let red = house.deploy("red", RUNS, json!({})).await;
    let kept = house.owner.get(&red).await;
    let zipped = |name: &str, text: &[u8], link: bool| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        if link {
            writer.add_symlink(name, String::from_utf8_lossy(text), Options::default()).unwrap();
        } else {
            writer.start_file(name, Options::default()).unwrap();
            writer.write_all(text).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let revision = house.owner.get(&red).await["revision"].clone();
    let files = [
        ("a way up", zipped("../../slip.py", b"x", false)),
        ("a way up in the middle", zipped("a/../../slip.py", b"x", false)),
        ("from the root", zipped("/tmp/slip.py", b"x", false)),
        ("of another system", zipped("..\\slip.py", b"x", false)),
        ("a link that leads out", zipped("link", b"/etc/shadow", true)),
        ("a bomb", zipped("bomb", &vec![0; 64 << 20], false)),
        ("no zip at all", b"PK\x03\x04 but not for long".to_vec()),
    ];
    for (what, bytes) in files {
        let (status, body) =
            house.owner.raw(Method::POST, &format!("{red}/code/archive?revision={revision}"), bytes).await;
        assert!(status.is_client_error() && status != StatusCode::NOT_FOUND, "{what}: {status} {body}");
        assert!(body.contains("\"code\":"), "{what}: {body}");
    }
    assert_eq!(house.owner.get(&red).await, kept, "the code is what it was");
    let slipped: Vec<_> = walk(house.folder.path()).into_iter().filter(|path| path.ends_with("slip.py")).collect();
    assert!(slipped.is_empty() && !std::path::Path::new("/tmp/slip.py").exists(), "{slipped:?}");
    house.server.stop();
}

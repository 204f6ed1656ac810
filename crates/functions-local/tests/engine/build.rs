//! Builds with the real pip and npm, from indexes of the test's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stoa_functions::Isolation;
use stoa_functions_local::build::{BuildError, BuildOptions, BuildTarget, Dependencies};
use stoa_functions_local::{JobLimits, JobOutcome, Options, Tree};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::jobs::{PLENTY, read, text};
use crate::support::House;
use crate::ways::{Outside, egress};

/// What is to be had by which path.
type Pages = HashMap<String, Vec<u8>>;

/// A web server with these pages, which may name the server's own port, and how often it was asked for anything.
async fn index(pages: impl Fn(u16) -> Pages) -> (Outside, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (served, counter) = (Arc::new(std::sync::OnceLock::<Pages>::new()), Arc::clone(&asked));
    let pages_of = Arc::clone(&served);
    let outside = Outside::serving(move |mut stream| {
        let (pages, counter) = (Arc::clone(&pages_of), Arc::clone(&counter));
        async move {
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => return,
                }
            }
            counter.fetch_add(1, Ordering::SeqCst);
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = pages.get().and_then(|pages| pages.get(path));
            let (status, body) = found.map_or(("404 Not Found", &b""[..]), |body| ("200 OK", body));
            let kind = if path.ends_with('/') { "text/html" } else { "application/json" };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
        }
    })
    .await;
    served.set(pages(outside.port())).unwrap();
    (outside, asked)
}

/// Runs Python on the host, for archives.
fn python(code: &str, folder: &Path) -> String {
    let ran = Command::new("/usr/bin/python3").arg("-c").arg(code).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

const WHEEL: &str = r"
import zipfile
info = 'tiny-1.0.dist-info'
with zipfile.ZipFile('tiny-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('tiny/__init__.py', 'answer = 42\n')
    wheel.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n')
    wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(f'{info}/RECORD', f'tiny/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n')
";

const TARBALL: &str = r#"
import base64, hashlib, io, tarfile
with tarfile.open('tiny-1.0.0.tgz', 'w:gz') as archive:
    for name, text in [('package.json', '{"name":"tiny","version":"1.0.0","main":"index.js","scripts":{"postinstall":"echo yes > built"}}'), ('index.js', 'exports.answer = 42\n')]:
        entry = tarfile.TarInfo('package/' + name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
print('sha512-' + base64.b64encode(hashlib.sha512(open('tiny-1.0.0.tgz', 'rb').read()).digest()).decode())
"#;

fn options() -> BuildOptions {
    BuildOptions {
        limits: JobLimits { deadline: Duration::from_mins(2), memory_bytes: 1 << 30, ..JobLimits::default() },
        isolation: Isolation { landlock: true, ..Isolation::NAMESPACES },
        ..BuildOptions::default()
    }
}

fn dependencies(files: &[(&str, &str)]) -> Dependencies {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    Dependencies::of(&files).unwrap().remove(0)
}

/// npm, where it is not among the machine's own programs.
fn npm(options: &mut Options) {
    let path = std::env::var_os("PATH").unwrap();
    let npm = std::env::split_paths(&path).map(|folder| folder.join("npm")).find(|npm| npm.is_file()).unwrap();
    if !npm.starts_with("/usr") {
        options.runtimes.push(npm.parent().and_then(Path::parent).unwrap().to_owned());
    }
}

async fn finished(job: stoa_functions_local::JobHandle) -> (JobOutcome, String) {
    // Installers start slowly on a busy machine.
    let outcome = tokio::time::timeout(Duration::from_secs(150), job.outcome()).await.unwrap();
    (outcome, text(&job))
}

impl House {
    fn target(&self, name: &str, cache: &Path) -> (BuildTarget, PathBuf) {
        let output = self.empty(name);
        (BuildTarget { name: name.to_owned(), output: output.clone(), cache: Some(cache.to_owned()) }, output)
    }
}

#[tokio::test]
async fn pip_installs_what_is_required_from_the_index_of_the_administrator() {
    let made = tempfile::tempdir().unwrap();
    python(WHEEL, made.path());
    let wheel = std::fs::read(made.path().join("tiny-1.0-py3-none-any.whl")).unwrap();
    let page = "<html><body><a href=\"/files/tiny-1.0-py3-none-any.whl\">tiny-1.0-py3-none-any.whl</a></body></html>";
    let (server, asked) = index(|_| {
        let page = ("/simple/tiny/".to_owned(), page.as_bytes().to_vec());
        [page, ("/files/tiny-1.0-py3-none-any.whl".to_owned(), wheel.clone())].into()
    })
    .await;
    let place = format!("index.test:{}", server.port());
    let house = House::with(egress(&[("index.test", "127.0.0.1")], &[&place])).await;
    let options = BuildOptions { pip_index: Some(format!("http://{place}/simple")), ..options() };
    let cache = house.empty("cache");
    let tiny = dependencies(&[("requirements.txt", "tiny==1.0\n")]);
    let (target, output) = house.target("python", &cache);
    let (ended, log) = finished(house.engine.build(&tiny, &options, target).await.unwrap()).await;
    assert_eq!(ended, JobOutcome::Done, "{log}");
    assert!(log.contains("Successfully installed tiny-1.0"), "{log}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the page and the wheel");
    assert_eq!(read(&output, "python_modules/tiny/__init__.py"), "answer = 42\n");
    let tree = Tree::read(&output, PLENTY).unwrap();
    assert!(tree.entries().iter().any(|entry| entry.path.contains("/__pycache__/__init__.")), "{:?}", tree.entries());

    // As a function, once its files have been copied from where they were made.
    let code = house.code("function", &[("app.py", crate::support::APP)]);
    let copied = Command::new("cp").arg("-r").arg(output.join("python_modules")).arg(&code).status().unwrap();
    assert!(copied.success());
    let version = house.apply_code("function", code, Vec::new(), |_| {}).await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    let got = house.run(&instance, "import tiny\nanswer = (tiny.answer, tiny.__file__, tiny.__cached__)").await;
    assert!(got.starts_with("(42, '/code/python_modules/tiny/__init__.py'"), "{got}");

    let key = house.engine.build_key(&tiny, &options).await.unwrap();
    assert_eq!(house.engine.build_key(&tiny, &options).await.unwrap(), key);
    let own = BuildOptions { pip_index: None, ..options.clone() };
    assert_ne!(house.engine.build_key(&tiny, &own).await.unwrap(), key);

    let unknown = dependencies(&[("requirements.txt", "unknown-package\n")]);
    let (target, _) = house.target("unknown", &cache);
    let (ended, log) = finished(house.engine.build(&unknown, &options, target).await.unwrap()).await;
    assert!(matches!(ended, JobOutcome::Failed { .. }) && log.contains("No matching distribution"), "{log}");
    // pip's own index, which the way out of this test does not lead to, is on the list by its own word.
    let (target, _) = house.target("own", &cache);
    let (ended, log) = finished(house.engine.build(&tiny, &own, target).await.unwrap()).await;
    assert!(matches!(ended, JobOutcome::Failed { .. }), "{ended:?}");
    assert!(log.contains("cannot be resolved") && !log.contains("not among the hosts"), "{log}");
    let elsewhere = dependencies(&[("requirements.txt", "--index-url https://elsewhere.test/simple\ntiny\n")]);
    let (target, _) = house.target("elsewhere", &cache);
    let (ended, log) = finished(house.engine.build(&elsewhere, &options, target).await.unwrap()).await;
    assert!(matches!(ended, JobOutcome::Failed { .. }), "{ended:?}");
    assert!(log.contains("stoa: connection to elsewhere.test:443 refused: it is not among the hosts"), "{log}");
    house.end().await;
}

#[tokio::test]
async fn npm_installs_what_is_required_and_then_what_its_lock_says() {
    let made = tempfile::tempdir().unwrap();
    let integrity = python(TARBALL, made.path());
    let tarball = std::fs::read(made.path().join("tiny-1.0.0.tgz")).unwrap();
    let (server, asked) = index(|port| {
        let version = serde_json::json!({
            "name": "tiny", "version": "1.0.0", "hasInstallScript": true,
            "dist": {"tarball": format!("http://registry.test:{port}/tiny/-/tiny-1.0.0.tgz"), "integrity": integrity},
        });
        let document = serde_json::json!({
            "name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        });
        let document = ("/tiny".to_owned(), serde_json::to_vec(&document).unwrap());
        [document, ("/tiny/-/tiny-1.0.0.tgz".to_owned(), tarball.clone())].into()
    })
    .await;
    let place = format!("registry.test:{}", server.port());
    let out = egress(&[("registry.test", "127.0.0.1")], &[&place]);
    let house = House::with(|options| {
        out(options);
        npm(options);
    })
    .await;
    let options = BuildOptions { npm_registry: Some(format!("http://{place}/")), ..options() };
    let cache = house.empty("cache");
    let package = r#"{"name": "function", "dependencies": {"tiny": "^1.0.0"}}"#;
    let (target, output) = house.target("node", &cache);
    let tiny = dependencies(&[("package.json", package)]);
    let (ended, log) = finished(house.engine.build(&tiny, &options, target).await.unwrap()).await;
    assert_eq!(ended, JobOutcome::Done, "{log}");
    assert_eq!(read(&output, "node_modules/tiny/index.js"), "exports.answer = 42\n");
    assert_eq!(read(&output, "node_modules/tiny/built"), "yes\n", "its own script ran");
    assert!(log.contains("npm http fetch GET 200"), "{log}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "{log}");

    // The lock names another place, as if it had been written elsewhere. What it says is in the cache by now.
    let lock = read(&output, "package-lock.json").replace(&place, "registry.elsewhere.test");
    assert!(lock.contains("elsewhere"), "{lock}");
    let locked = dependencies(&[("package.json", package), ("package-lock.json", &lock)]);
    let (target, output) = house.target("locked", &cache);
    let (ended, log) = finished(house.engine.build(&locked, &options, target).await.unwrap()).await;
    assert_eq!(ended, JobOutcome::Done, "{log}");
    assert_eq!(read(&output, "node_modules/tiny/index.js"), "exports.answer = 42\n");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "from the cache: {log}");
    let keys = [house.engine.build_key(&tiny, &options).await, house.engine.build_key(&locked, &options).await];
    assert_ne!(keys[0].as_ref().unwrap(), keys[1].as_ref().unwrap());

    let wrong =
        dependencies(&[("package.json", package), ("package-lock.json", &lock.replace("sha512-", "sha512-AAAA"))]);
    let (target, _) = house.target("wrong", &house.empty("fresh"));
    let (ended, log) = finished(house.engine.build(&wrong, &options, target).await.unwrap()).await;
    assert!(matches!(ended, JobOutcome::Failed { .. }) && log.contains("EINTEGRITY"), "{log}");
    let bad = BuildOptions { npm_registry: Some("nowhere".to_owned()), ..options };
    let (target, _) = house.target("bad", &cache);
    assert!(matches!(house.engine.build(&tiny, &bad, target).await, Err(BuildError::Index { .. })));
    house.end().await;
}

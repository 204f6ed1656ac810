//! The server is killed at random moments while it pulls models, and started again: what is kept is what was sent.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use stoa_model_store::{Digest, Store};

use crate::support::{Browser, Server};

const PULLS: usize = 20;
const BLOB_BYTES: usize = 192 * 1024;

/// What a slow line brings at once, and the pause before the next.
const PIECE_BYTES: usize = 16 * 1024;
const PIECE_PAUSE: Duration = Duration::from_millis(4);

/// splitmix64: another number every time, the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// `STOA_TEST_SEED` repeats a run.
fn seed() -> u64 {
    std::env::var("STOA_TEST_SEED").map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().unwrap())
}

/// A model's file with random content behind its header.
fn weights(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = stoa_model_store::gguf::fixture::good().bytes();
    while bytes.len() < BLOB_BYTES {
        bytes.extend(dice.roll().to_le_bytes());
    }
    bytes
}

/// A registry on a slow line, which has the same small settings for all its models.
struct Registry {
    weights: Vec<Vec<u8>>,
    settings: Vec<u8>,
}

impl Registry {
    fn start(dice: &mut Dice) -> (Arc<Self>, String) {
        let weights = (0..PULLS).map(|_| weights(dice)).collect();
        let settings = json!({ "model_format": "gguf", "model_family": "llama" }).to_string().into_bytes();
        let registry = Arc::new(Self { weights, settings });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let serving = Arc::clone(&registry);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let registry = Arc::clone(&serving);
                // Whoever was killed in the middle is no concern of a registry's.
                std::thread::spawn(move || drop(registry.serve(&connection)));
            }
        });
        (registry, authority)
    }

    fn manifest(&self, weights: &[u8]) -> Vec<u8> {
        let layer = |kind: &str, content: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(content), "size": content.len() });
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": layer("application/vnd.docker.container.image.v1+json", &self.settings),
            "layers": [layer("application/vnd.ollama.image.model", weights)],
        })
        .to_string()
        .into_bytes()
    }

    fn find(&self, path: &str) -> Option<Vec<u8>> {
        if let Some((name, _)) = path.strip_prefix("/v2/library/m").and_then(|rest| rest.split_once("/manifests/")) {
            return Some(self.manifest(self.weights.get(name.parse::<usize>().ok()?)?));
        }
        let digest = path.rsplit('/').next()?;
        let mut blobs = self.weights.iter().chain([&self.settings]);
        blobs.find(|blob| Digest::of(blob).to_string() == digest).cloned()
    }

    /// One request a connection.
    fn serve(&self, connection: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(connection).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let mut range = None;
        for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
            let found = line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned);
            range = range.or(found);
        }
        let mut parts = request.split(' ');
        let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut out = connection;
        let Some(content) = self.find(path) else {
            return out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        };
        let total = content.len();
        let (start, end) =
            range.as_deref().and_then(|range| range.split_once('-')).map_or((0, total), |(start, end)| {
                (start.parse().unwrap_or(0), end.parse::<usize>().map_or(total, |last| (last + 1).min(total)))
            });
        let head = if range.is_some() {
            format!("206 Partial Content\r\ncontent-range: bytes {start}-{}/{total}", end.saturating_sub(1))
        } else {
            "200 OK".to_owned()
        };
        let length = end - start;
        write!(out, "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
        if method == "HEAD" {
            return Ok(());
        }
        for piece in content[start..end].chunks(PIECE_BYTES) {
            out.write_all(piece)?;
            std::thread::sleep(PIECE_PAUSE);
        }
        Ok(())
    }
}

/// A server, and a program that may pull at its Ollama listener.
struct Stoa {
    server: Server,
    puller: Browser,
}

impl Stoa {
    /// `key` is made by the first.
    async fn start(data: &Path, registry: &str, key: &mut Option<String>) -> Self {
        let server = Server::start(&[
            ("STOA_DATA_DIR", data.to_str().unwrap()),
            ("STOA_EGRESS_ALLOW", registry),
            ("STOA_OLLAMA_LISTEN", "127.0.0.1:0"),
        ]);
        let address: SocketAddr = {
            let log = server.log.lock().unwrap();
            let told = log.split("Ollama's protocol at http://").nth(1).expect("it says where it listens");
            told.split_whitespace().next().unwrap().trim_matches('"').parse().unwrap()
        };
        if key.is_none() {
            let browser = Browser::sign_in(server.address).await;
            let made = browser.post("/api/v1/api-keys", json!({ "name": "puller", "scopes": ["models"] })).await;
            *key = Some(made["key"].as_str().unwrap().to_owned());
        }
        Self { puller: Browser::with_key(address, key.as_deref().unwrap()), server }
    }
}

/// Whether the pull came to its end; a server that dies meanwhile ends the connection, and that is no panic.
async fn pull(puller: &Browser, name: &str) -> bool {
    let mut response = puller.open(Method::POST, "/api/pull", Some(&json!({ "model": name }))).await;
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    let mut said = String::new();
    while let Some(Ok(frame)) = http_body_util::BodyExt::frame(response.body_mut()).await {
        said.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| data)));
    }
    assert!(!said.contains("\"error\""), "{name}: {said}");
    said.contains("\"success\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_it_pulls_ends_up_with_what_was_sent() {
    let seed = seed();
    eprintln!("STOA_TEST_SEED={seed}");
    let mut dice = Dice(seed);
    let (registry, authority) = Registry::start(&mut dice);
    let directory = tempfile::tempdir().unwrap();
    let mut key = None;
    let (mut cut_off, mut half_done) = (0, 0);
    let unfinished =
        |part: &str| std::fs::read_dir(directory.path().join("models").join(part)).map_or(0, Iterator::count);
    for number in 0..PULLS {
        let Stoa { server, puller } = Stoa::start(directory.path(), &authority, &mut key).await;
        let name = format!("{authority}/library/m{number}:latest");
        tokio::select! {
            ended = pull(&puller, &name) => assert!(ended, "{name}"),
            () = tokio::time::sleep(Duration::from_millis(dice.roll() % 150)) => cut_off += 1,
        }
        server.kill();
        half_done = half_done.max(unfinished("partial"));
    }
    eprintln!("{cut_off} of {PULLS} pulls were cut off, at most {half_done} files were left half done");
    assert!(cut_off > 0 && half_done > 0, "nothing was killed in the middle");

    let Stoa { server, puller } = Stoa::start(directory.path(), &authority, &mut key).await;
    for number in 0..PULLS {
        assert!(pull(&puller, &format!("{authority}/library/m{number}:latest")).await, "{number}");
    }
    server.stop();
    let store = Store::open(directory.path().join("models")).unwrap();
    assert_eq!(store.list().unwrap().len(), PULLS);
    for content in registry.weights.iter().chain([&registry.settings]) {
        assert_eq!(std::fs::read(store.blob_path(&Digest::of(content))).unwrap(), *content);
    }
    assert_eq!((unfinished("partial"), unfinished("claims")), (0, 0), "nothing unfinished is left");
}

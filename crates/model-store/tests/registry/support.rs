//! A real registry, what it is filled with, and a store to pull into.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use serde_json::{Value, json};
use stoa_egress::{Allowances, Authority, Egress, EgressOptions, Limits, Request, Target};
use stoa_model_store::registry::{PullEvent, Registries, RegistryError, RegistryOptions};
use stoa_model_store::{Digest, ModelName, Store};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::gguf::fixture::good;

pub(crate) const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const KIB: usize = 1024;

/// Waits until `condition` holds; a test that never sees it fails.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

/// A registry of its own, on a port that nobody else has.
pub(crate) struct Distribution {
    process: Child,
    pub(crate) authority: String,
    _directory: TempDir,
}

impl Distribution {
    pub(crate) fn start() -> Self {
        Self::configured("")
    }

    /// One that lets in `user` with `password` only.
    pub(crate) fn with_password() -> Self {
        // `htpasswd -nbB user password`
        Self::configured("user:$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu\n")
    }

    fn configured(passwords: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut configuration = json!({
            "version": "0.1",
            "log": { "level": "info", "formatter": "json" },
            "storage": { "filesystem": { "rootdirectory": directory.path().join("data") } },
            "http": { "addr": "127.0.0.1:0" },
        });
        if !passwords.is_empty() {
            let file = directory.path().join("passwords");
            fs::write(&file, passwords).unwrap();
            configuration["auth"] = json!({ "htpasswd": { "realm": "test", "path": file } });
        }
        let file = directory.path().join("registry.yml");
        fs::write(&file, configuration.to_string()).unwrap();
        let mut process = Command::new("/usr/bin/docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the Debian package docker-registry is needed: {error}"));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let authority = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on ")?.1.split_once('"')?.0.to_owned()))
            .expect("the registry says where it listens");
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, authority, _directory: directory }
    }

    pub(crate) fn name(&self, rest: &str) -> ModelName {
        named(&self.authority, rest)
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn named(authority: &str, rest: &str) -> ModelName {
    format!("{authority}/{rest}").parse().unwrap()
}

/// A model as its makers upload it.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) layers: Vec<(&'static str, Vec<u8>)>,
}

impl Model {
    /// Weights of at least so many bytes, most of them random.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { layers: vec![("application/vnd.ollama.image.model", weights(bytes))] }
    }

    pub(crate) fn with(mut self, kind: &'static str, content: impl Into<Vec<u8>>) -> Self {
        self.layers.push((kind, content.into()));
        self
    }

    pub(crate) fn digest(&self, layer: usize) -> Digest {
        Digest::of(&self.layers[layer].1)
    }

    pub(crate) fn config() -> Vec<u8> {
        json!({ "model_format": "gguf", "model_family": "llama", "model_type": "1B" }).to_string().into_bytes()
    }

    /// With a space that no program would write, so that a rewritten manifest is noticed.
    pub(crate) fn manifest(&self) -> String {
        let layer = |kind: &str, content: &[u8]| -> Value {
            json!({ "mediaType": kind, "digest": Digest::of(content), "size": content.len() })
        };
        let layers: Vec<Value> = self.layers.iter().map(|(kind, content)| layer(kind, content)).collect();
        let config = layer("application/vnd.docker.container.image.v1+json", &Self::config());
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, "annotations": { "x": "y" } })
            .to_string()
            .replacen('{', "{  ", 1)
    }

    /// Puts the model into a registry the way the specification says, by nothing of ours.
    pub(crate) async fn upload(&self, registry: &Distribution, name: &ModelName) {
        let egress = egress([registry.authority.as_str()]);
        for content in self.layers.iter().map(|(_, content)| content.as_slice()).chain([Self::config().as_slice()]) {
            let url = format!("http://{}/v2/{}/{}/blobs/uploads/", registry.authority, name.namespace(), name.model());
            let target = Target::parse(&url).unwrap();
            let answer = egress.send(Request::post(target.clone(), Bytes::new()), Limits::default()).await.unwrap();
            let location = target.join(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
            let mut url = location.as_url().clone();
            url.query_pairs_mut().append_pair("digest", &Digest::of(content).to_string());
            let request = Request::new(Method::PUT, Target::from_url(url).unwrap(), content.to_vec())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            assert_eq!(egress.send(request, Limits::default()).await.unwrap().status(), 201);
        }
        let (namespace, model, tag) = (name.namespace(), name.model(), name.tag());
        let url = format!("http://{}/v2/{namespace}/{model}/manifests/{tag}", registry.authority);
        let request = Request::new(Method::PUT, Target::parse(&url).unwrap(), self.manifest())
            .header(CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
        assert_eq!(egress.send(request, Limits::default()).await.unwrap().status(), 201);
    }
}

/// A model's file with random content behind it.
pub(crate) fn weights(bytes: usize) -> Vec<u8> {
    let mut file = good().bytes();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ bytes as u64;
    while file.len() < bytes {
        // xorshift: what is repeated would hide parts that went to the wrong place.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.extend(state.to_le_bytes());
    }
    file
}

pub(crate) fn egress<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Egress {
    let allowed = allowed.into_iter().map(|text| text.parse::<Authority>().unwrap());
    let allowances = Arc::new(Allowances::new(allowed));
    Egress::new(EgressOptions { allowances, ..EgressOptions::default() }).unwrap()
}

/// Parts of 256 KiB, and few pauses. What stalls only in tests of stalling is given up early there.
pub(crate) fn quick() -> RegistryOptions {
    let part = 256 * KIB as u64;
    RegistryOptions {
        part_bytes: part..=part,
        connections: 4,
        stall: Duration::from_secs(20),
        pause: Duration::from_millis(1),
        save_every: Duration::from_millis(20),
        report_every: Duration::from_millis(1),
        look_every: Duration::from_millis(10),
        upload_bytes: part,
        ..RegistryOptions::default()
    }
}

/// A store, and the registries it may reach.
pub(crate) struct House {
    pub(crate) directory: TempDir,
    pub(crate) registries: Registries,
}

pub(crate) type Pulled = Result<Vec<PullEvent>, Arc<RegistryError>>;

impl House {
    pub(crate) fn new<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with(allowed, quick())
    }

    pub(crate) fn with<'a>(allowed: impl IntoIterator<Item = &'a str>, options: RegistryOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registries = Self::registries(directory.path(), allowed, options);
        Self { directory, registries }
    }

    /// As another process would open the same store.
    pub(crate) fn registries<'a>(
        directory: &Path,
        allowed: impl IntoIterator<Item = &'a str>,
        options: RegistryOptions,
    ) -> Registries {
        let store = Arc::new(Store::open(directory).unwrap());
        Registries::new(egress(allowed), store, options, TaskTracker::new())
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        self.registries.store()
    }

    pub(crate) async fn pull(&self, name: &ModelName) -> Pulled {
        pull(&self.registries, name).await
    }

    /// Files in a directory of the store.
    pub(crate) fn files(&self, directory: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path().join(directory));
        entries.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }

    /// Whether the store holds exactly the blobs of `model`, with their content.
    pub(crate) fn assert_has(&self, model: &Model) {
        for (_, content) in &model.layers {
            assert_eq!(fs::read(self.store().blob_path(&Digest::of(content))).unwrap(), *content);
        }
        assert_eq!(self.files("blobs").len(), model.layers.len() + 1);
        assert!(self.files("partial").is_empty(), "nothing unfinished is left");
        assert!(self.files("claims").is_empty());
    }

    pub(crate) fn assert_empty(&self) {
        for directory in ["blobs", "partial", "claims", "manifests"] {
            assert_eq!(self.files(directory), Vec::<PathBuf>::new());
        }
    }
}

/// How much of each part of an unfinished blob is written down.
pub(crate) fn saved(house: &House, digest: &Digest) -> Vec<u64> {
    let name = digest.to_string().replace(':', "-");
    let text = fs::read_to_string(house.directory.path().join(format!("partial/{name}.map"))).unwrap_or_default();
    let maps = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.split_once(' ')?.1.trim()).ok());
    let done = maps.map(|map| map["done"].as_array().unwrap().iter().filter_map(Value::as_u64).collect());
    done.max_by_key(|done: &Vec<u64>| done.iter().sum::<u64>()).unwrap_or_default()
}

/// Pulls to the end, and checks that progress never goes back.
pub(crate) async fn pull(registries: &Registries, name: &ModelName) -> Pulled {
    let mut events = registries.pull(name);
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        let event = event?;
        if let (
            Some(PullEvent::Pulling { digest, completed, model_completed: whole, .. }),
            PullEvent::Pulling { digest: next, completed: now, total, model_total, model_completed },
        ) = (seen.last(), &event)
        {
            assert!(now <= total, "{now} of {total}");
            assert!(digest != next || completed <= now, "{completed} became {now}");
            assert!(whole <= model_completed && model_completed <= model_total, "{whole} became {model_completed}");
        }
        seen.push(event);
    }
    assert_eq!(seen.last(), Some(&PullEvent::Success));
    Ok(seen)
}

/// What Ollama's clients would show, each line once.
pub(crate) fn statuses(events: &[PullEvent]) -> Vec<String> {
    let mut lines: Vec<String> = events.iter().map(PullEvent::status).collect();
    lines.dedup();
    lines
}

//! Tests of the store: imports, removals, damage, and disks that are full or cannot be written to.

mod making;
mod sharing;

use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::gguf::fixture::{File as Fixture, good};

struct House {
    directory: TempDir,
    store: Store,
}

impl House {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("models")).unwrap();
        Self { directory, store }
    }

    fn file(&self, name: &str, fixture: &Fixture) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, fixture.bytes()).unwrap();
        path
    }

    fn import(&self, fixture: &Fixture, name: &str) -> Result<StoredModel, StoreError> {
        let path = self.file("import.gguf", fixture);
        self.store.import(&path, &name.parse().unwrap(), &mut |_| {})
    }

    fn names(&self) -> Vec<String> {
        self.store.list().unwrap().iter().map(|model| model.name.to_string()).collect()
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.store.blobs()).unwrap().count()
    }
}

#[test]
fn a_model_is_imported_listed_found_and_removed() {
    let house = House::new();
    let bytes = good().bytes();
    let mut seen = Vec::new();
    let path = house.file("tiny.gguf", &good());
    let model = house.store.import(&path, &"Tiny:1b".parse().unwrap(), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(model.digest, Digest::of(&bytes));
    assert_eq!(fs::read(house.store.blob_path(&model.digest)).unwrap(), bytes);
    assert_eq!(seen.last().map(|progress| progress.done_bytes), Some(bytes.len() as u64));
    assert_eq!(house.names(), ["Tiny:1b"]);
    assert_eq!(house.store.find("tiny:1B").unwrap().gguf.parameters, model.gguf.parameters);
    assert!(house.directory.path().join("models/manifests/registry.ollama.ai/library/Tiny/1b").is_file());

    house.store.remove("TINY:1b").unwrap();
    assert!(house.names().is_empty());
    assert_eq!(house.blobs(), 0);
    assert!(!house.directory.path().join("models/manifests/registry.ollama.ai").exists());
    assert!(matches!(house.store.remove("tiny:1b"), Err(StoreError::NotFound { .. })));
}

#[test]
fn the_manifest_and_its_configuration_are_as_others_write_them() {
    let house = House::new();
    house.import(&good(), "tiny:1b").unwrap();
    let path = house.directory.path().join("models/manifests/registry.ollama.ai/library/tiny/1b");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.ollama.image.model");
    assert_eq!(manifest["layers"][0]["digest"], Digest::of(&good().bytes()).to_string());
    let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
    let config: serde_json::Value = serde_json::from_slice(&fs::read(house.store.blob_path(&config)).unwrap()).unwrap();
    assert_eq!((&config["model_format"], &config["model_family"]), (&"gguf".into(), &"llama".into()));
}

#[test]
fn a_blob_lives_as_long_as_one_name_uses_it() {
    let house = House::new();
    house.import(&good(), "one").unwrap();
    house.import(&good(), "two").unwrap();
    assert_eq!(house.blobs(), 2, "weights and configuration are there once");
    house.store.remove("one").unwrap();
    assert_eq!(house.names(), ["two:latest"]);
    assert_eq!(house.blobs(), 2);

    let other = good().with_text("general.name", "Other");
    house.import(&other, "two").unwrap();
    assert_eq!(house.names(), ["two:latest"]);
    assert_eq!(house.store.find("two").unwrap().gguf.name.as_deref(), Some("Other"));
    assert!(!house.store.blob_path(&Digest::of(&good().bytes())).exists(), "what the name stood for before is gone");
}

#[test]
fn what_is_no_model_is_refused_and_leaves_nothing() {
    let house = House::new();
    let cut = good().bytes();
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
        ("cut", cut[..cut.len() / 2].to_vec()),
        ("zero", good().with_u32("llama.block_count", 0).bytes()),
        ("alignment", good().with_u32("general.alignment", 0).bytes()),
    ] {
        let path = house.directory.path().join(what);
        fs::write(&path, bytes).unwrap();
        let error = house.store.import(&path, &"bad".parse().unwrap(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, StoreError::Gguf { .. }), "{what}: {error}");
    }
    assert_eq!(house.blobs(), 0);
    assert!(house.names().is_empty());
}

#[test]
fn only_regular_files_are_imported_and_none_blocks() {
    let house = House::new();
    let pipe = house.directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [Path::new("/dev/zero"), Path::new("/dev/random"), house.directory.path(), &pipe] {
        let error = house.store.import(path, &"bad".parse().unwrap(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{}: {error}", path.display());
    }
    let missing = house.directory.path().join("missing");
    let error = house.store.import(&missing, &"bad".parse().unwrap(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::NoSuchFile { .. }), "{error}");
}

#[test]
fn a_manifest_that_points_elsewhere_is_never_followed() {
    let house = House::new();
    house.import(&good(), "good").unwrap();
    let secret = house.directory.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let manifest = house.directory.path().join("models/manifests/registry.ollama.ai/library/evil/latest");
    fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    for digest in [
        "sha256:../../../../secret".to_owned(),
        "../../secret".to_owned(),
        secret.display().to_string(),
        format!("sha256-{}", "../".repeat(21) + "e"),
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".to_owned(),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n".to_owned(),
        String::new(),
    ] {
        let layer = |kind: &str| serde_json::json!({ "mediaType": kind, "digest": digest, "size": 6 });
        let text = serde_json::json!({
            "schemaVersion": 2,
            "config": layer("application/vnd.docker.container.image.v1+json"),
            "layers": [layer("application/vnd.ollama.image.model")],
        });
        fs::write(&manifest, text.to_string()).unwrap();
        let error = house.store.find("evil").unwrap_err();
        assert!(matches!(error, StoreError::DamagedManifest { .. }), "{digest:?}: {error}");
        assert_eq!(house.names(), ["good:latest"], "one damaged model hides no other");
    }
    house.store.remove("evil").unwrap();
    assert!(secret.exists());
    assert_eq!(house.names(), ["good:latest"]);
}

#[test]
fn nothing_is_collected_while_a_manifest_cannot_be_read() {
    let house = House::new();
    house.import(&good(), "one").unwrap();
    let damaged = house.directory.path().join("models/manifests/registry.ollama.ai/library/two/latest");
    fs::create_dir_all(damaged.parent().unwrap()).unwrap();
    fs::write(&damaged, "{").unwrap();
    house.store.remove("one").unwrap();
    assert_eq!(house.blobs(), 2, "the damaged model may need them");
}

#[test]
fn a_manifest_without_its_blob_and_one_without_end_are_damage() {
    let house = House::new();
    let model = house.import(&good(), "one").unwrap();
    fs::remove_file(&model.path).unwrap();
    assert!(matches!(house.store.find("one"), Err(StoreError::MissingBlob { .. })));
    let manifest = house.directory.path().join("models/manifests/registry.ollama.ai/library/one/latest");
    fs::write(&manifest, " ".repeat(2 * 1024 * 1024)).unwrap();
    assert!(matches!(house.store.find("one"), Err(StoreError::DamagedManifest { .. })));
}

#[test]
fn links_in_the_manifests_lead_nowhere() {
    let house = House::new();
    let root = house.directory.path().join("models/manifests");
    symlink("/", root.join("root")).unwrap();
    symlink(&root, root.join("loop")).unwrap();
    assert!(house.names().is_empty());
}

#[test]
fn what_dead_imports_left_is_swept_once_it_is_old() {
    let house = House::new();
    let (old, new) = (house.store.blobs().join("unfinished-old"), house.store.blobs().join("unfinished-new"));
    for path in [&old, &new] {
        fs::write(path, "x").unwrap();
    }
    assert!(Command::new("touch").args(["-d", "2 hours ago"]).arg(&old).status().unwrap().success());
    Store::open(house.directory.path().join("models")).unwrap();
    assert!(!old.exists() && new.exists());
}

/// A small disk of its own; `None` without the right to mount one.
struct Disk {
    directory: TempDir,
}

impl Disk {
    fn mount(options: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root may mount a small disk");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(directory.path()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: a small disk cannot be mounted here");
            return None;
        }
        Some(Self { directory })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
    }
}

/// A model of about 2 MiB.
fn large() -> Fixture {
    let mut large = good().with_tensor("large", &[1_024, 512], 0, 416);
    large.data += 2 * 1024 * 1024;
    large
}

#[test]
fn a_full_disk_is_said_to_be_full_and_nothing_is_left_on_it() {
    let Some(disk) = Disk::mount("size=1m") else { return };
    let house = House::new();
    let source = house.file("large.gguf", &large());
    let store = Store::open(disk.directory.path().join("models")).unwrap();
    let error = store.import(&source, &"large".parse().unwrap(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert_eq!(fs::read_dir(store.blobs()).unwrap().count(), 0);
    let small = house.file("small.gguf", &good());
    store.import(&small, &"small".parse().unwrap(), &mut |_| {}).unwrap();
}

#[test]
fn a_disk_that_fills_up_with_the_last_byte_leaves_no_half_model() {
    let Some(disk) = Disk::mount("size=1m,nr_inodes=9") else { return };
    let house = House::new();
    let source = house.file("small.gguf", &good());
    let store = Store::open(disk.directory.path().join("models")).unwrap();
    // Room for the blob, but not for all that its name needs.
    let error = store.import(&source, &"small".parse().unwrap(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(store.list().unwrap().is_empty());
    assert!(!store.blob_path(&Digest::of(&good().bytes())).exists());
}

#[test]
fn a_read_only_disk_is_said_to_be_read_only() {
    let Some(disk) = Disk::mount("size=1m") else { return };
    let house = House::new();
    let source = house.file("small.gguf", &good());
    let path = disk.directory.path().join("models");
    let store = Store::open(&path).unwrap();
    store.import(&source, &"small".parse().unwrap(), &mut |_| {}).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(disk.directory.path()).status().unwrap().success());
    let store = Store::open(&path).unwrap();
    let other = house.file("other.gguf", &good().with_text("general.name", "Other"));
    let error = store.import(&other, &"other".parse().unwrap(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert!(matches!(store.remove("small"), Err(StoreError::ReadOnly { .. })));
    assert_eq!(store.list().unwrap().len(), 1, "what is there can still be used");
}

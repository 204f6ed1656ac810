//! The data directory: made private, locked against a second server, and home of the master key.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use stoa_storage::MasterKey;

use crate::config::Config;

/// Held for as long as the server runs.
#[derive(Debug)]
pub(crate) struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be and takes it: two servers on one SQLite file would each think the other dead.
    pub(crate) fn take(path: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        let lock = path.join("stoa.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .with_context(|| format!("the data directory {} cannot be written to", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(std::fs::TryLockError::WouldBlock) => bail!(
                "another server uses the data directory {}; stop it, or set STOA_DATA_DIR to another one",
                path.display()
            ),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", lock.display()))
            }
        }
    }
}

/// The master key: given, or with SQLite kept in the data directory and made at the first start.
pub(crate) fn master_key(config: &Config, sqlite: bool) -> anyhow::Result<MasterKey> {
    if let Some(key) = &config.master_key {
        return MasterKey::parse(key.expose()).context("STOA_MASTER_KEY");
    }
    if let Some(path) = &config.master_key_file {
        return read_key(path);
    }
    if !sqlite {
        bail!(
            "with PostgreSQL the master key must be given, the same to every replica: set STOA_MASTER_KEY or \
             STOA_MASTER_KEY_FILE (make one with `openssl rand -hex 32`)"
        );
    }
    let path = config.data_dir.join("master.key");
    match path.try_exists() {
        Ok(true) => read_key(&path),
        Ok(false) => make_key(&path),
        Err(error) => Err(error).with_context(|| format!("the master key {} cannot be read", path.display())),
    }
}

fn read_key(path: &Path) -> anyhow::Result<MasterKey> {
    let place = || format!("the master key {}", path.display());
    let text = std::fs::read_to_string(path).with_context(place)?;
    MasterKey::parse(&text).with_context(place)
}

/// Writes a new key whole or not at all, readable by its owner only.
fn make_key(path: &Path) -> anyhow::Result<MasterKey> {
    let place = || format!("the master key {} cannot be written", path.display());
    let key = MasterKey::generate();
    let unfinished = path.with_extension("key.new");
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished).with_context(place)?;
    writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all()).with_context(place)?;
    std::fs::rename(&unfinished, path).with_context(place)?;
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|directory| directory.sync_all()).with_context(place)?;
    }
    tracing::info!(path = %path.display(), "a master key was made; keep a copy of it apart from the data");
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_data_directory_serves_one_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/data");
        let first = DataDir::take(&path).unwrap();
        let error = DataDir::take(&path).unwrap_err().to_string();
        assert!(error.contains("another server uses the data directory"), "{error}");
        drop(first);
        DataDir::take(&path).unwrap();
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made = make_key(&path).unwrap();
        assert_eq!(read_key(&path).unwrap().to_hex(), made.to_hex());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

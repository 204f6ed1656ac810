//! A folder as it is sent: its files in one archive, and the settings that it names.

use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What says how the function runs.
pub(super) const SETTINGS: &str = "function.toml";

/// Folders that are made from the others, or that are nobody's business.
const LEFT_OUT: [&str; 6] = [".git", "node_modules", "__pycache__", ".venv", "venv", "target"];

const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 24 * 1024 * 1024;

pub(super) struct Sent {
    pub(super) settings: Option<Value>,
    pub(super) zip: Vec<u8>,
    pub(super) files: usize,
}

pub(super) fn read(folder: &Path) -> anyhow::Result<Sent> {
    let mut packing = Packing { writer: ZipWriter::new(Cursor::new(Vec::new())), files: 0, bytes: 0 };
    packing.add(folder, "")?;
    if packing.files == 0 {
        bail!("{} has no files", folder.display());
    }
    let settings = folder.join(SETTINGS);
    let settings = match std::fs::read_to_string(&settings) {
        Ok(text) => {
            let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", settings.display()))?;
            Some(serde_json::to_value(table).context("the settings cannot be written as JSON")?)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", settings.display())),
    };
    Ok(Sent { settings, files: packing.files, zip: packing.writer.finish()?.into_inner() })
}

struct Packing {
    writer: ZipWriter<Cursor<Vec<u8>>>,
    files: usize,
    bytes: u64,
}

impl Packing {
    fn add(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let unreadable = || format!("{} cannot be read", folder.display());
        let mut entries = std::fs::read_dir(folder).with_context(unreadable)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let place = entry.path();
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{} has a name that is not UTF-8", place.display()))?;
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if LEFT_OUT.contains(&name) || path == SETTINGS {
                continue;
            }
            if kind.is_dir() {
                self.add(&place, &format!("{path}/"))?;
            } else if kind.is_file() {
                let bytes = std::fs::read(&place).with_context(|| format!("{} cannot be read", place.display()))?;
                self.files += 1;
                self.bytes += u64::try_from(bytes.len())?;
                if self.files > MOST_FILES || self.bytes > MOST_BYTES {
                    bail!("a function has at most {MOST_FILES} files and {} MiB", MOST_BYTES / 1024 / 1024);
                }
                let mode = entry.metadata()?.permissions().mode();
                self.writer.start_file(path, SimpleFileOptions::default().unix_permissions(mode & 0o777))?;
                self.writer.write_all(&bytes)?;
            } else {
                bail!("{} is neither a file nor a folder: links are not followed", place.display());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_packed_without_what_is_made_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let place = folder.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        };
        write("index.mjs", "1");
        write("lib/a.mjs", "2");
        write("node_modules/x/index.js", "3");
        write("lib/__pycache__/a.pyc", "4");
        write(
            "function.toml",
            "command = [\"node\", \"index.mjs\"]\ncpu_millis = 250\n[instances]\nminimum = 1\nmaximum = 2\n",
        );
        let sent = read(folder.path()).unwrap();
        assert_eq!(sent.files, 2);
        let settings = sent.settings.unwrap();
        assert_eq!((&settings["command"][1], &settings["instances"]["minimum"]), (&"index.mjs".into(), &1.into()));
        let archive = zip::ZipArchive::new(Cursor::new(sent.zip)).unwrap();
        assert_eq!(archive.file_names().collect::<Vec<_>>(), ["index.mjs", "lib/a.mjs"]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        assert!(read(folder.path()).is_err());
    }
}

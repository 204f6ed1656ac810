//! The code of a function: files by their paths, kept together as one archive that is the same for the same files.

mod upload;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stoa_model::assistant::InvalidProfile;
use stoa_model::function::{CodeFile, MAX_CODE_BYTES, MAX_CODE_FILES, code_path};

/// In force for everything that is kept: the same files are the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    files: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub bytes: Bytes,
    pub executable: bool,
}

/// Why code is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    #[error(transparent)]
    Path(#[from] InvalidProfile),
    #[error("there is no file `{0}`")]
    NoFile(String),
    #[error("`{0}` is a file and a folder at once")]
    FileAndFolder(String),
    #[error("a function has at most {MAX_CODE_FILES} files")]
    TooMany,
    #[error("the files of a function are at most {} MiB together", MAX_CODE_BYTES / 1024 / 1024)]
    TooLarge,
    #[error("the archive cannot be read: {0}")]
    Archive(String),
    #[error("`{0}` is a link, and only files are taken")]
    Link(String),
}

impl Code {
    /// Reads what [`Code::archive`] has written.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, CodeError> {
        let broken = |error: io::Error| CodeError::Archive(error.to_string());
        let mut code = Self::default();
        let mut archive = tar::Archive::new(bytes);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = entry.path().map_err(broken)?;
            let path = path.to_str().ok_or_else(|| CodeError::Archive("a name is not UTF-8".to_owned()))?.to_owned();
            let executable = entry.header().mode().map_err(broken)? & 0o111 != 0;
            let mut bytes = Vec::new();
            let limit = u64::try_from(MAX_CODE_BYTES).unwrap_or(u64::MAX);
            (&mut entry).take(limit).read_to_end(&mut bytes).map_err(broken)?;
            code.put(&path, bytes.into(), executable)?;
        }
        code.checked()
    }

    /// All files as one archive.
    pub fn archive(&self) -> io::Result<Bytes> {
        let mut builder = tar::Builder::new(Vec::new());
        builder.mode(tar::HeaderMode::Deterministic);
        for (path, entry) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(entry.bytes.len()).unwrap_or(u64::MAX));
            header.set_mode(if entry.executable { 0o755 } else { 0o644 });
            header.set_mtime(0);
            builder.append_data(&mut header, path, &*entry.bytes)?;
        }
        Ok(builder.into_inner()?.into())
    }

    /// Reads a zip file that somebody has sent, within the bounds of code.
    pub fn from_zip(bytes: &[u8]) -> Result<Self, CodeError> {
        upload::read(bytes)?.checked()
    }

    pub fn put(&mut self, path: &str, bytes: Bytes, executable: bool) -> Result<(), CodeError> {
        let path = code_path(path)?;
        self.files.insert(path, Entry { bytes, executable });
        Ok(())
    }

    pub fn remove(&mut self, path: &str) -> Result<Entry, CodeError> {
        self.files.remove(path).ok_or_else(|| CodeError::NoFile(path.to_owned()))
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.files.get(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The whole within its bounds, and no path a file and a folder.
    pub fn checked(self) -> Result<Self, CodeError> {
        if self.files.len() > MAX_CODE_FILES {
            return Err(CodeError::TooMany);
        }
        if self.files.values().map(|entry| entry.bytes.len()).sum::<usize>() > MAX_CODE_BYTES {
            return Err(CodeError::TooLarge);
        }
        for path in self.files.keys() {
            let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            if let Some(both) = folders.into_iter().find(|folder| self.files.contains_key(*folder)) {
                return Err(CodeError::FileAndFolder(both.to_owned()));
            }
        }
        Ok(self)
    }

    /// What there is, for lists.
    pub fn listing(&self) -> Vec<CodeFile> {
        let file = |(path, entry): (&String, &Entry)| CodeFile {
            path: path.clone(),
            bytes: u64::try_from(entry.bytes.len()).unwrap_or(u64::MAX),
            digest: hex(&Sha256::digest(&entry.bytes)),
            executable: entry.executable,
            text: std::str::from_utf8(&entry.bytes).is_ok_and(|text| !text.contains('\0')),
        };
        self.files.iter().map(file).collect()
    }

    /// Writes the files into a folder that is there and that nobody else writes to. Everybody may read them.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (path, entry) in &self.files {
            let place = folder.join(path);
            if let Some(parent) = place.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&place, &entry.bytes)?;
            let mode = if entry.executable { 0o755 } else { 0o644 };
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode))?;
        }
        open_folders(folder)
    }
}

/// Whatever the mask of this process is, functions run as somebody else.
fn open_folders(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// Of what a version is: its code and its settings.
pub fn version_digest(code: &str, settings: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(code.as_bytes());
    hash.update(in_order(settings).to_string().as_bytes());
    hex(&hash.finalize())
}

/// The same settings are the same text, in whatever order somebody wrote them.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (name.clone(), in_order(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(in_order).collect()),
        plain => plain.clone(),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(files: &[(&str, &str)]) -> Code {
        let mut code = Code::default();
        for (path, text) in files {
            code.put(path, Bytes::copy_from_slice(text.as_bytes()), path.starts_with("run")).unwrap();
        }
        code
    }

    #[test]
    fn an_archive_comes_back_as_it_was_and_is_the_same_for_the_same_files() {
        let long = format!("{}/数据.json", "a".repeat(180));
        let made = code(&[("app.py", "print(1)"), ("lib/x.js", ""), ("run.sh", "#!/bin/sh"), (&long, "{}")]);
        let archive = made.archive().unwrap();
        assert_eq!(Code::from_archive(&archive).unwrap(), made);
        let again = code(&[(&long, "{}"), ("run.sh", "#!/bin/sh"), ("lib/x.js", ""), ("app.py", "print(1)")]);
        assert_eq!(again.archive().unwrap(), archive);
        assert!(made.get("run.sh").unwrap().executable && !made.get("app.py").unwrap().executable);
    }

    #[test]
    fn what_goes_nowhere_or_too_far_is_refused() {
        assert!(matches!(Code::default().put("../x", Bytes::new(), false), Err(CodeError::Path(_))));
        assert!(
            matches!(code(&[("a", ""), ("a/b", "")]).checked(), Err(CodeError::FileAndFolder(path)) if path == "a")
        );
        assert!(matches!(
            Code::from_archive(b"no archive at all, but long enough to be looked at".repeat(20).as_slice()),
            Err(CodeError::Archive(_))
        ));
        let many: Vec<_> = (0..=MAX_CODE_FILES).map(|number| number.to_string()).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert!(matches!(code(&many).checked(), Err(CodeError::TooMany)));
        let mut large = Code::default();
        large.put("a", vec![0; MAX_CODE_BYTES + 1].into(), false).unwrap();
        assert!(matches!(large.checked(), Err(CodeError::TooLarge)));
    }

    #[test]
    fn files_are_written_where_they_belong_for_everybody_to_read() {
        let folder = tempfile::tempdir().unwrap();
        code(&[("lib/deep/x.js", "1"), ("run.sh", "2")]).write_to(folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("lib/deep/x.js")).unwrap(), b"1");
        let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode("lib"), mode("lib/deep"), mode("lib/deep/x.js"), mode("run.sh")],
            [0o755, 0o755, 0o644, 0o755]
        );
    }

    #[test]
    fn a_version_is_its_code_and_its_settings() {
        let settings = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = version_digest("aa", &settings(r#"{"a":1,"b":2}"#));
        assert_eq!(one, version_digest("aa", &settings(r#"{"b":2,"a":1}"#)));
        assert_ne!(one, version_digest("ab", &settings(r#"{"a":1,"b":2}"#)));
        assert_ne!(one, version_digest("aa", &settings(r#"{"a":1,"b":3}"#)));
    }
}

//! Packages as they are kept: one compressed archive, cut into blobs.

use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use stoa_functions_local::{EntryKind, JobLimits, Tree, TreeLimits};

use crate::service::ServiceError;

/// Of a blob.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// Packs what a build has left.
pub(super) fn pack(folder: &Path, limits: JobLimits) -> Result<Vec<Bytes>, ServiceError> {
    let limits = TreeLimits { entries: limits.files, bytes: limits.disk_bytes };
    let tree = Tree::read(folder, limits).map_err(|error| ServiceError::Internal(error.to_string()))?;
    write(&tree, Parts::default()).map_err(ServiceError::Disk)
}

fn write(tree: &Tree, parts: Parts) -> io::Result<Vec<Bytes>> {
    let mut builder = tar::Builder::new(GzEncoder::new(parts, Compression::fast()));
    for entry in tree.entries() {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_mode(0o755);
        match &entry.kind {
            EntryKind::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, format!("{}/", entry.path), io::empty())?;
            }
            EntryKind::File { bytes, executable } => {
                header.set_size(*bytes);
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                builder.append_data(&mut header, &entry.path, tree.open(&entry.path)?)?;
            }
            EntryKind::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, &entry.path, target)?;
            }
        }
    }
    builder.into_inner()?.finish()?.finish()
}

/// Bytes as they come, cut to the size of blobs.
#[derive(Default)]
struct Parts {
    done: Vec<Bytes>,
    open: Vec<u8>,
}

impl Parts {
    fn finish(mut self) -> io::Result<Vec<Bytes>> {
        self.done.push(self.open.into());
        Ok(self.done)
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES - self.open.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.open.extend_from_slice(taken);
        if self.open.len() == PART_BYTES {
            self.done.push(std::mem::take(&mut self.open).into());
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks what [`pack`] has packed, into an empty folder.
pub(super) fn unpack(parts: &[Bytes], into: &Path) -> Result<(), ServiceError> {
    read(parts, into).map_err(ServiceError::Disk)
}

fn read(parts: &[Bytes], into: &Path) -> io::Result<()> {
    let all = parts.iter().fold(Box::new(io::empty()) as Box<dyn Read>, |before, part| Box::new(before.chain(&**part)));
    let mut archive = tar::Archive::new(GzDecoder::new(all));
    for entry in archive.entries()? {
        let mut entry = entry?;
        // It is our own archive, and all the same nothing of it lands elsewhere.
        if !entry.unpack_in(into)? {
            return Err(io::Error::other("an entry of the packages leads out of them"));
        }
    }
    Ok(())
}

/// Lays packages over the code of a function. Files are the same as those that are kept, not copies.
pub(crate) fn lay_over(packages: &Path, code: &Path, limits: TreeLimits) -> Result<(), ServiceError> {
    let tree = Tree::read(packages, limits).map_err(|error| ServiceError::Internal(error.to_string()))?;
    lay(&tree, packages, code).map_err(ServiceError::Disk)
}

fn lay(tree: &Tree, packages: &Path, code: &Path) -> io::Result<()> {
    for entry in tree.entries() {
        let place = code.join(&entry.path);
        match &entry.kind {
            EntryKind::Folder => {
                std::fs::create_dir_all(&place)?;
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755))?;
            }
            // What people write themselves stays.
            _ if place.symlink_metadata().is_ok() => {}
            EntryKind::File { executable, .. } => {
                let kept = packages.join(&entry.path);
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(mode))?;
                std::fs::hard_link(&kept, &place)?;
            }
            EntryKind::Link { target } => symlink(target, &place)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TreeLimits = TreeLimits { entries: 100, bytes: 1 << 30 };

    #[test]
    fn packages_come_back_as_they_were_however_many_blobs_they_take() {
        let from = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(from.path().join("node_modules/.bin")).unwrap();
        std::fs::write(from.path().join("node_modules/run.js"), "1").unwrap();
        let program = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(from.path().join("node_modules/run.js"), program).unwrap();
        symlink("../run.js", from.path().join("node_modules/.bin/run")).unwrap();
        // Does not compress.
        let mut noise = vec![0; PART_BYTES + 1_000];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut noise);
        std::fs::write(from.path().join("node_modules/noise"), &noise).unwrap();
        let parts = pack(from.path(), JobLimits::default()).unwrap();
        assert_eq!(parts.len(), 2);
        let to = tempfile::tempdir().unwrap();
        unpack(&parts, to.path()).unwrap();
        assert_eq!(std::fs::read(to.path().join("node_modules/noise")).unwrap(), noise);
        assert_eq!(std::fs::read_link(to.path().join("node_modules/.bin/run")).unwrap(), Path::new("../run.js"));

        let code = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(code.path().join("node_modules")).unwrap();
        std::fs::write(code.path().join("node_modules/noise"), "mine").unwrap();
        lay_over(to.path(), code.path(), LIMITS).unwrap();
        assert_eq!(std::fs::read(code.path().join("node_modules/noise")).unwrap(), b"mine", "what is one's own stays");
        assert_eq!(std::fs::read(code.path().join("node_modules/.bin/run")).unwrap(), b"1");
        let mode = std::fs::metadata(code.path().join("node_modules/run.js")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o755);
    }
}

//! Writes that are there whole after a loss of power, or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::StoreError;

/// How the names of unfinished files begin.
pub(super) const TEMPORARY: &str = "unfinished-";

/// A new file in `directory`, deleted again unless it is put in its place.
pub(super) fn temporary(directory: &Path) -> Result<NamedTempFile, StoreError> {
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        // As others may, whom the directory lets in: several accounts may share a volume.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(StoreError::io("making a file", directory))
}

/// Makes `file` durable and gives it its name.
pub(super) fn put(file: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    file.as_file().sync_all().map_err(StoreError::io("writing", path))?;
    file.persist(path).map_err(|error| StoreError::io("renaming", path)(error.error))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Writes a small file whole, by way of the directory `scratch`, where a half-written one harms nobody.
pub(super) fn write(path: &Path, bytes: &[u8], scratch: &Path) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(StoreError::io("making the directory", directory))?;
    let mut file = temporary(scratch)?;
    file.write_all(bytes).map_err(StoreError::io("writing", directory))?;
    put(file, path)
}

/// Reads a file of at most `maximum` bytes.
pub(super) fn read_small(path: &Path, maximum: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(maximum + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > maximum {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

/// Whether `path` is there and was last written more than `age` ago.
pub(super) fn is_older_than(path: &Path, age: Duration) -> bool {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed > age))
}

/// Makes names in `directory` durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::io("writing the directory", directory))
}

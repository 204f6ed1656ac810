//! The folder of engines: each file in it that may be run is a program.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::EngineFault;
use crate::runtime::options::WorkerProgram;

/// More are left out.
const MAX_ENGINES: usize = 16;

const RUNNABLE: u32 = 0o111;
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// Programs by their names, in order. One that anybody could replace is not run.
pub(super) fn read(folder: &Path) -> io::Result<Vec<(String, Result<WorkerProgram, EngineFault>)>> {
    let shared = is_writable_by_others(folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // What a link names counts.
        let is_program = fs::metadata(&path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & RUNNABLE != 0);
        if name.starts_with('.') || !is_program {
            continue;
        }
        let program = if shared || is_writable_by_others(&path)? {
            Err(EngineFault::Writable)
        } else {
            Ok(WorkerProgram { program: path, arguments: vec!["model-worker".into()] })
        };
        found.push((name, program));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    if found.len() > MAX_ENGINES {
        tracing::warn!(folder = %folder.display(), "only the first {MAX_ENGINES} engines are looked at");
        found.truncate(MAX_ENGINES);
    }
    Ok(found)
}

fn is_writable_by_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & WRITABLE_BY_OTHERS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, mode: u32) {
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn programs_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "b-cuda", 0o755);
        file(folder.path(), "a-vulkan", 0o700);
        file(folder.path(), "README.md", 0o644);
        file(folder.path(), ".hidden", 0o755);
        fs::create_dir(folder.path().join("folder")).unwrap();
        let found = read(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|(name, program)| (name.as_str(), program.is_ok())).collect();
        assert_eq!(names, [("a-vulkan", true), ("b-cuda", true)]);
        assert!(read(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn what_anybody_could_replace_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "cuda", 0o757);
        assert!(matches!(read(folder.path()).unwrap()[0].1, Err(EngineFault::Writable)));
        file(folder.path(), "cuda", 0o755);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(read(folder.path()).unwrap()[0].1, Err(EngineFault::Writable)));
    }
}

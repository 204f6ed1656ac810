//! Puts the files of a version where a waiting interpreter sees them.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// More take longer to link than an interpreter takes to start.
const MOST_FILES: usize = 1_000;

/// The same files in another folder, by hard links; copies where the folders are on different disks. Links are made as they
/// are and followed by nobody.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = MOST_FILES;
    link_folder(from, to, &mut left)
}

fn link_folder(from: &Path, to: &Path, left: &mut usize) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        *left = left.checked_sub(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let (kind, from, to) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            std::fs::create_dir(&to)?;
            readable(&to)?;
            link_folder(&from, &to, left)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
        } else if kind.is_file() {
            match std::fs::hard_link(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => std::fs::copy(&from, &to).map(drop)?,
                linked => linked?,
            }
        }
    }
    Ok(())
}

/// By the user that the instance is.
pub(crate) fn readable(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn files_are_the_same_and_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("inner")).unwrap();
        std::fs::create_dir(&to).unwrap();
        std::fs::write(from.join("inner/a"), "a").unwrap();
        std::os::unix::fs::symlink("/etc/shadow", from.join("out")).unwrap();
        link(&from, &to).unwrap();
        let inode = |path: &std::path::Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        assert_eq!(inode(&from.join("inner/a")), inode(&to.join("inner/a")));
        assert_eq!(std::fs::read_link(to.join("out")).unwrap(), std::path::Path::new("/etc/shadow"));
    }

    #[test]
    fn too_many_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        std::fs::create_dir(&to).unwrap();
        for number in 0..=super::MOST_FILES {
            std::fs::write(from.join(number.to_string()), "").unwrap();
        }
        assert!(link(&from, &to).is_err());
    }
}

//! What processes keep in files that have no name any more, and that no look through folders finds.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;

use super::Volume;

/// The disk that a volume lies on, and whose its files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    device: u64,
    user: u32,
}

impl Ground {
    pub(super) fn of(volume: &Volume) -> std::io::Result<Self> {
        let status = rustix::fs::fstat(&volume.folder)?;
        Ok(Self { device: status.st_dev, user: status.st_uid })
    }
}

/// Bytes of such files on these grounds. Of those alone that are open: one that is only mapped, or on its way through a
/// socket, is not seen. Blocks.
pub(crate) fn bytes(processes: &[u32], grounds: &[Ground]) -> u64 {
    let (mut seen, mut bytes) = (HashSet::new(), 0u64);
    for process in processes {
        // Whoever is gone has nothing open.
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        for status in open.filter_map(|entry| std::fs::metadata(entry.path()).ok()) {
            let ground = Ground { device: status.dev(), user: status.uid() };
            let nameless = status.is_file() && status.nlink() == 0 && grounds.contains(&ground);
            if nameless && seen.insert((status.dev(), status.ino())) {
                bytes = bytes.saturating_add(status.blocks() * 512);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::open_folder;

    #[test]
    fn an_open_file_without_a_name_is_found_once_and_by_its_ground() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open_folder(rustix::fs::CWD, folder.path()).unwrap();
        let ground = Ground::of(&Volume { folder: opened, user: None }).unwrap();
        let own = [std::process::id()];
        let before = bytes(&own, &[ground]);
        let path = folder.path().join("file");
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let _again = file.try_clone().unwrap();
        assert_eq!(bytes(&own, &[ground]), before, "it has a name");
        std::fs::remove_file(&path).unwrap();
        let after = bytes(&own, &[ground]) - before;
        assert!((1 << 20..2 << 20).contains(&after), "{after}");
        assert_eq!(bytes(&own, &[Ground { user: ground.user + 1, ..ground }]), 0);
    }
}

//! Whether a disk is almost full.

use std::io;
use std::os::fd::AsFd;

/// What shall stay free on a disk: so many bytes, and of a small disk one of so many parts.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    pub bytes: u64,
    pub part: u64,
}

impl Reserve {
    /// Whether less is free on the disk of an open folder. Blocks.
    pub fn is_short(self, folder: impl AsFd) -> io::Result<bool> {
        let disk = rustix::fs::fstatvfs(folder)?;
        let (whole, free) = (disk.f_blocks.saturating_mul(disk.f_frsize), disk.f_bavail.saturating_mul(disk.f_frsize));
        // Some that lie beyond a network do not say.
        Ok(whole > 0 && free < self.bytes.min(whole / self.part))
    }
}

#[cfg(test)]
mod tests {
    use super::Reserve;

    #[test]
    fn a_small_disk_keeps_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let folder = std::fs::File::open(folder.path()).unwrap();
        let short = |bytes, part| Reserve { bytes, part }.is_short(&folder).unwrap();
        assert!(!short(1, 1), "a byte is free");
        assert!(!short(u64::MAX, u64::MAX), "no part of it is all that it keeps");
        assert!(short(u64::MAX, 1), "it is not empty");
    }
}

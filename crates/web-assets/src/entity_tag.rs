//! The fingerprint of a file's content, made the same at build and at run time.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// 32 hexadecimal digits of the content's SHA-256: no two contents of a release share them.
pub(crate) fn of(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(16).fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

//! The content of a blob as its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A SHA-256 sum. Since it holds 64 hexadecimal digits and nothing else, it can never lead out of a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_sum(Sha256::digest(bytes).into())
    }

    pub(crate) fn from_sum(sum: [u8; 32]) -> Self {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in sum {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// The 64 hexadecimal digits alone, as Ollama shows the digest of a model.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    pub(super) fn file_name(&self) -> String {
        format!("sha256-{}", self.0)
    }

    /// The digest that a file in the directory of blobs is named by.
    pub(super) fn from_file_name(name: &str) -> Option<Self> {
        name.strip_prefix("sha256-").and_then(|_| name.parse().ok())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:")
            .or_else(|| text.strip_prefix("sha256-"))
            .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
            .map(|hex| Self(hex.to_owned()))
            .ok_or(DigestError)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_read_in_both_spellings() {
        for separator in [':', '-'] {
            let digest: Digest = format!("sha256{separator}{HEX}").parse().unwrap();
            assert_eq!(digest.to_string(), format!("sha256:{HEX}"));
            assert_eq!(digest, Digest::of(b""));
        }
    }

    #[test]
    fn nothing_else_is_a_digest() {
        for text in [
            String::new(),
            HEX.to_owned(),
            "sha256:".to_owned(),
            "sha256:../../../../etc/passwd".to_owned(),
            format!("sha256-{}", "../".repeat(21) + "a"),
            "/etc/passwd".to_owned(),
            format!("../sha256:{HEX}"),
            format!("sha256:/{}", &HEX[1..]),
            format!("sha256:{}", HEX.to_uppercase()),
            format!("SHA256:{HEX}"),
            format!("sha512:{HEX}"),
            format!("sha256:{}", &HEX[1..]),
            format!("sha256:{HEX}0"),
            format!("sha256-{HEX}\n"),
            format!("sha256-{HEX}\0"),
            format!("sha256- {}", &HEX[1..]),
            format!("sha256-{}\n", &HEX[1..]),
            format!("sha256:{}\u{ff10}", &HEX[3..]),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(DigestError), "{text:?}");
        }
    }
}

//! Secrets at rest: sealed with XChaCha20-Poly1305 under the master key, bound to the place they are kept in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng as _;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const VERSION: &str = "1.";

/// The key that seals every stored secret. 32 bytes, given by the operator or made at first start.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

/// A value that must not be logged or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the master key must be 32 bytes in hexadecimal (64 digits) or base64")]
    MalformedKey,
    #[error("the master key is a known or trivial value")]
    KnownKey,
    /// The key is not the one that sealed the value, or the value was changed or moved.
    #[error("the value was not sealed under this master key")]
    WrongKey,
}

impl MasterKey {
    pub fn generate() -> Self {
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        Self(key)
    }

    /// Reads hexadecimal or base64, with or without padding and surrounding white space.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let bytes = from_hex(text)
            .or_else(|| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok())
            .ok_or(SealError::MalformedKey)?;
        let key: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| SealError::MalformedKey)?;
        let distinct = key.iter().collect::<std::collections::HashSet<_>>().len();
        if distinct < 8 { Err(SealError::KnownKey) } else { Ok(Self(key)) }
    }

    /// Hexadecimal, the form of the key file.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(KEY_BYTES * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Seals `secret` for `place` (such as `providers.api_key/<id>`); it opens only there.
    pub(crate) fn seal(&self, place: &str, secret: &Secret) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: secret.0.as_bytes(), aad: place.as_bytes() })
            .map_err(|_| SealError::WrongKey)?;
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    pub(crate) fn open(&self, place: &str, sealed: &str) -> Result<Secret, SealError> {
        let bytes = sealed
            .strip_prefix(VERSION)
            .and_then(|text| STANDARD_NO_PAD.decode(text).ok())
            .filter(|bytes| bytes.len() > NONCE_BYTES)
            .ok_or(SealError::WrongKey)?;
        let (nonce, sealed) = bytes.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::WrongKey)?;
        self.cipher()
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: place.as_bytes() })
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Secret)
            .ok_or(SealError::WrongKey)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != KEY_BYTES * 2 || !text.is_ascii() {
        return None;
    }
    (0..KEY_BYTES).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_under_its_key_and_in_its_place() {
        let key = MasterKey::generate();
        let sealed = key.seal("providers/1", &Secret::new("sk-very-secret")).unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(key.open("providers/1", &sealed).unwrap().expose(), "sk-very-secret");
        assert_eq!(key.open("providers/2", &sealed), Err(SealError::WrongKey));
        assert_eq!(MasterKey::generate().open("providers/1", &sealed), Err(SealError::WrongKey));
        assert_eq!(key.open("providers/1", "1.nonsense"), Err(SealError::WrongKey));
    }

    #[test]
    fn empty_short_and_trivial_keys_are_refused() {
        assert_eq!(MasterKey::parse("").unwrap_err(), SealError::MalformedKey);
        assert_eq!(MasterKey::parse("abc").unwrap_err(), SealError::MalformedKey);
        assert_eq!(MasterKey::parse(&"0".repeat(64)).unwrap_err(), SealError::KnownKey);
        assert_eq!(MasterKey::parse(&"ab".repeat(32)).unwrap_err(), SealError::KnownKey);
    }

    #[test]
    fn a_key_is_read_back_from_its_file_form() {
        let key = MasterKey::generate();
        assert_eq!(MasterKey::parse(&format!(" {}\n", key.to_hex())).unwrap().0, key.0);
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}

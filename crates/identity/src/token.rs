//! Session tokens: 32 random bytes that the browser keeps; the server keeps their SHA-256 alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

pub(crate) const SECRET_BYTES: usize = 32;

/// What a signed-in browser presents.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken([u8; SECRET_BYTES]);

impl SessionToken {
    pub(crate) fn generate() -> Self {
        Self(random_secret())
    }

    /// Reads the 43 characters of base64url; anything else is no token.
    pub fn parse(text: &str) -> Option<Self> {
        decode_secret(text).map(Self)
    }

    /// The form of the cookie.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// What opens a link to a conversation: 32 random bytes in its address. The server keeps their SHA-256 alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareToken([u8; SECRET_BYTES]);

impl ShareToken {
    pub(crate) fn generate() -> Self {
        Self(random_secret())
    }

    /// Reads the 43 characters of base64url; anything else opens nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        decode_secret(text).map(Self)
    }

    /// The form in the address.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl fmt::Debug for ShareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareToken(…)")
    }
}

pub(crate) fn random_secret() -> [u8; SECRET_BYTES] {
    let mut secret = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    secret
}

pub(crate) fn decode_secret(text: &str) -> Option<[u8; SECRET_BYTES]> {
    // 32 bytes are 43 characters; longer text is not even decoded.
    if text.len() != 43 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_text_and_back_and_does_not_show_in_debug_output() {
        let token = SessionToken::generate();
        assert_eq!(SessionToken::parse(&token.to_text()).unwrap(), token);
        assert_eq!(format!("{token:?}"), "SessionToken(…)");
        assert_ne!(SessionToken::generate(), token);
    }

    #[test]
    fn what_opens_a_link_is_random_and_does_not_show_in_debug_output() {
        let token = ShareToken::generate();
        assert_eq!(ShareToken::parse(&token.to_text()).unwrap().hash(), token.hash());
        assert_eq!(format!("{token:?}"), "ShareToken(…)");
        assert_ne!(ShareToken::generate().hash(), token.hash());
        assert_eq!(ShareToken::parse("../../etc/passwd"), None);
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "short", &"=".repeat(43), &"A".repeat(44), &"A".repeat(10_000), &"é".repeat(21)] {
            assert_eq!(SessionToken::parse(text), None);
        }
    }
}

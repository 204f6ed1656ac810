//! The text of an API key: `stoa_<id>_<secret>`, both base64url. The id finds the row, the secret proves the right.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stoa_model::ApiKeyId;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::token::{SECRET_BYTES, decode_secret, random_secret, sha256};

const PREFIX: &str = "stoa_";
/// 16 bytes in base64url.
const ID_LENGTH: usize = 22;

/// A key as its holder presents it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyText {
    id: ApiKeyId,
    secret: [u8; SECRET_BYTES],
}

impl ApiKeyText {
    pub(crate) fn generate(id: ApiKeyId) -> Self {
        Self { id, secret: random_secret() }
    }

    /// Reads by position: base64url itself may hold underscores.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (id, secret) = rest.split_at_checked(ID_LENGTH)?;
        let secret = decode_secret(secret.strip_prefix('_')?)?;
        let id: [u8; 16] = URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?;
        Some(Self { id: ApiKeyId::from_uuid(Uuid::from_bytes(id)), secret })
    }

    /// The form that is shown once.
    pub fn to_text(&self) -> String {
        format!(
            "{PREFIX}{}_{}",
            URL_SAFE_NO_PAD.encode(self.id.as_uuid().as_bytes()),
            URL_SAFE_NO_PAD.encode(self.secret)
        )
    }

    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    pub(crate) fn secret_hash(&self) -> [u8; 32] {
        sha256(&self.secret)
    }

    /// Compares in a time that does not depend on how much of the secret is right.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        self.secret_hash().ct_eq(stored).into()
    }

    /// What the cache knows this key by: the whole of it, so that a wrong secret never meets a right id.
    pub(crate) fn cache_key(&self) -> [u8; 32] {
        let mut bytes = [0; 16 + SECRET_BYTES];
        bytes[..16].copy_from_slice(self.id.as_uuid().as_bytes());
        bytes[16..].copy_from_slice(&self.secret);
        sha256(&bytes)
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyText({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stoa_model::Timestamp;

    use super::*;

    fn key() -> ApiKeyText {
        ApiKeyText::generate(ApiKeyId::generate(Timestamp::from_millis(1_700_000_000_000)))
    }

    #[test]
    fn a_key_survives_text_and_back_with_any_characters_in_it() {
        for _ in 0..200 {
            let key = key();
            assert_eq!(ApiKeyText::parse(&key.to_text()).unwrap(), key);
        }
        assert_eq!(key().to_text().len(), 71);
    }

    #[test]
    fn only_the_very_secret_matches() {
        let (key, other) = (key(), key());
        assert!(key.matches(&key.secret_hash()));
        assert!(!key.matches(&other.secret_hash()));
        assert!(!key.matches(&[]));
    }

    #[test]
    fn the_secret_does_not_show_in_debug_output() {
        let key = key();
        let secret = key.to_text().split_off(28);
        assert!(!format!("{key:?}").contains(&secret));
    }

    proptest! {
        #[test]
        fn other_text_is_refused_and_never_panics(text in "(stoa_)?.{0,80}") {
            prop_assert!(ApiKeyText::parse(&text).is_none());
        }
    }
}

//! What a function shows where this server is reached by its functions alone: a token that is made for its instances, and is
//! good as long as they, the function and its owner's account are.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stoa_model::{FunctionId, Principal, Via};

use crate::cache::{CacheKey, Entry};
use crate::token::{SECRET_BYTES, decode_secret, random_secret, sha256};
use crate::{Door, IdentityError};

const PREFIX: &str = "stoafn_";

/// A token as a function presents it. The server keeps its SHA-256 alone, in memory, for instances end with the server.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionToken([u8; SECRET_BYTES]);

impl FunctionToken {
    pub fn parse(text: &str) -> Option<Self> {
        decode_secret(text.strip_prefix(PREFIX)?).map(Self)
    }

    /// The form in the environment of an instance.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    fn hash(&self) -> CacheKey {
        sha256(&self.0)
    }
}

impl fmt::Debug for FunctionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FunctionToken(…)")
    }
}

/// Tokens that were made and not given back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passes(Arc<Mutex<HashMap<CacheKey, FunctionId>>>);

impl Passes {
    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, FunctionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds a token good; dropped, it is none any more.
#[derive(Debug)]
pub struct FunctionPass {
    token: FunctionToken,
    passes: Passes,
}

impl FunctionPass {
    pub const fn token(&self) -> &FunctionToken {
        &self.token
    }
}

impl Drop for FunctionPass {
    fn drop(&mut self) {
        self.passes.lock().remove(&self.token.hash());
    }
}

impl Door {
    /// Makes a token for instances of a function. What it may is looked up whenever it is shown.
    pub fn admit_function(&self, function: FunctionId) -> FunctionPass {
        let token = FunctionToken(random_secret());
        self.inner.passes.lock().insert(token.hash(), function);
        FunctionPass { token, passes: self.inner.passes.clone() }
    }

    pub(crate) async fn authenticate_function(&self, token: &FunctionToken) -> Result<Principal, IdentityError> {
        let key = token.hash();
        let function = self.inner.passes.lock().get(&key).copied().ok_or(IdentityError::Unauthenticated)?;
        let now = self.inner.clock.now();
        let seen = match self.inner.cache.get(&key, now) {
            Ok(entry) => return Ok(entry.principal),
            Err(seen) => seen,
        };
        let found = self.inner.database.function_rights(&Principal::System("identity"), function).await?;
        let (owner, models) = found.ok_or(IdentityError::Unauthenticated)?;
        let via = Via::Function { id: function, models: Arc::new(models), depth: 1 };
        let principal = Principal::User { id: owner.id, role: owner.role, epoch: owner.epoch, via };
        let entry = Entry { principal, expires_at: None, read_at: now, noted_at: Some(now) };
        self.inner.cache.put(key, entry.clone(), seen);
        Ok(entry.principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_text_and_back_and_shows_itself_nowhere() {
        let token = FunctionToken(random_secret());
        assert_eq!(FunctionToken::parse(&token.to_text()).unwrap(), token);
        assert_eq!(format!("{token:?}"), "FunctionToken(…)");
        let bare = token.to_text().split_off(PREFIX.len());
        for text in ["", PREFIX, &bare, &format!("{PREFIX}{bare}A"), &format!("stoa_{bare}")] {
            assert_eq!(FunctionToken::parse(text), None, "{text}");
        }
    }
}

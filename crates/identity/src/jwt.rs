//! Tokens of other issuers (JWT, RFC 7519, signed as RFC 7515 has it): read with caps, and believed only when a key of theirs
//! has signed what is asked for. Algorithms are the asymmetric ones; nothing in a token says where keys come from.

mod keys;
mod sets;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use stoa_model::Timestamp;

pub use keys::{KeySet, KeySetError};
pub use sets::{KeySets, KeysUnavailable, NotAdmitted};

use keys::Algorithm;

/// Bytes of a token.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// What clocks may differ by.
const LEEWAY_SECONDS: f64 = 60.0;

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    /// Further claims, each with this value or with it in its list.
    pub claims: &'a BTreeMap<String, String>,
}

/// What a token says that was found to be good.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    pub all: Map<String, Value>,
    /// As they came: JSON in base64url.
    pub encoded: String,
}

impl Claims {
    pub fn subject(&self) -> Option<&str> {
        self.all.get("sub").and_then(Value::as_str)
    }
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    #[error("the token has more than 8,192 bytes")]
    TooLarge,
    #[error("it is no token in the compact form of JWS")]
    Malformed,
    #[error("the token is signed in a way that is not taken: use RS, PS, ES (256, 384) or EdDSA")]
    Algorithm,
    #[error("none of the issuer's keys has signed the token")]
    UnknownKey,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token does not say when it ends (`exp`)")]
    NoEnd,
    #[error("the token has run out")]
    Expired,
    #[error("the token is not good yet")]
    TooEarly,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token lacks the claim `{name}`, or has another value there")]
    Claim { name: String },
}

/// What of a header is read. Where else it points (`jku`, `x5u`, `jwk`, `x5c`) is not followed.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What whoever reads the token must understand; we understand none of it.
    crit: Option<Value>,
}

/// A token taken apart, of which nothing is believed yet.
#[derive(Debug)]
pub struct Unverified<'t> {
    signed: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key: Option<String>,
}

impl<'t> Unverified<'t> {
    pub fn read(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| JwtError::Malformed)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(JwtError::Algorithm)?;
        if header.crit.is_some() {
            return Err(JwtError::Malformed);
        }
        Ok(Self { signed, payload, signature: decoded(signature)?, algorithm, key: header.kid })
    }

    /// Whether a set has a key that may have signed it.
    pub fn is_known_to(&self, keys: &KeySet) -> bool {
        keys.candidates(self.algorithm, self.key.as_deref()).next().is_some()
    }

    /// Believes it, if one of the keys has signed it and it says what is expected.
    pub fn verify(&self, keys: &KeySet, expected: Expected<'_>, now: Timestamp) -> Result<Claims, JwtError> {
        let mut candidates = keys.candidates(self.algorithm, self.key.as_deref()).peekable();
        if candidates.peek().is_none() {
            return Err(JwtError::UnknownKey);
        }
        if !candidates.any(|key| key.has_signed(self.algorithm, self.signed.as_bytes(), &self.signature)) {
            return Err(JwtError::Signature);
        }
        let all: Map<String, Value> =
            serde_json::from_slice(&decoded(self.payload)?).map_err(|_| JwtError::Malformed)?;
        check(&all, expected, now)?;
        Ok(Claims { all, encoded: self.payload.to_owned() })
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed)
}

fn check(claims: &Map<String, Value>, expected: Expected<'_>, now: Timestamp) -> Result<(), JwtError> {
    let moment = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(JwtError::Malformed),
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age")]
    let now = now.as_seconds() as f64;
    let ends = moment("exp")?.ok_or(JwtError::NoEnd)?;
    if now >= ends + LEEWAY_SECONDS {
        return Err(JwtError::Expired);
    }
    if moment("nbf")?.is_some_and(|begins| now < begins - LEEWAY_SECONDS) {
        return Err(JwtError::TooEarly);
    }
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(JwtError::Issuer);
    }
    if !claims.get("aud").is_some_and(|value| says(value, expected.audience)) {
        return Err(JwtError::Audience);
    }
    for (name, wanted) in expected.claims {
        if !claims.get(name).is_some_and(|value| says(value, wanted)) {
            return Err(JwtError::Claim { name: name.clone() });
        }
    }
    Ok(())
}

/// Whether a value is the wanted one, or a list that has it.
fn says(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Bool(truth) => truth.to_string() == wanted,
        Value::Array(values) => values.iter().any(|value| !value.is_array() && says(value, wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests;

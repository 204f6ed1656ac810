//! The key of a provider at Amazon, in either of its two forms.

use std::fmt;

use stoa_model::completion::CompletionError;

/// The beginnings of access keys: of a user, and of a session.
const LASTING: &str = "AKIA";
const TEMPORARY: &str = "ASIA";

/// How a request shows who makes it. Nothing of it shows itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// A key of Bedrock's own.
    Bearer(&'a str),
    /// An access key of Amazon's, with which requests are signed.
    AccessKey(AccessKey<'a>),
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct AccessKey<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) session_token: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Reads `ACCESS_KEY_ID:SECRET[:SESSION_TOKEN]`, or else a key of Bedrock's own.
    pub(super) fn parse(key: &'a str) -> Result<Self, CompletionError> {
        let mut parts = key.splitn(3, ':');
        let id = parts.next().unwrap_or_default();
        if !is_access_key_id(id) {
            return Ok(Self::Bearer(key));
        }
        let secret = parts.next().filter(|secret| !secret.is_empty()).ok_or_else(|| {
            invalid("the key is the id of an access key alone; write it as ACCESS_KEY_ID:SECRET, or with :SESSION_TOKEN behind")
        })?;
        let session_token = parts.next().filter(|token| !token.is_empty());
        if id.starts_with(TEMPORARY) && session_token.is_none() {
            return Err(invalid(
                "the access key is a temporary one and needs its session token; write it as ACCESS_KEY_ID:SECRET:SESSION_TOKEN",
            ));
        }
        Ok(Self::AccessKey(AccessKey { id, secret, session_token }))
    }
}

fn is_access_key_id(text: &str) -> bool {
    (text.starts_with(LASTING) || text.starts_with(TEMPORARY))
        && (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn invalid(detail: &str) -> CompletionError {
    CompletionError::Invalid { detail: detail.to_owned() }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::AccessKey(_) => "AccessKey(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_its_form() {
        let access_key =
            |id, secret, session_token| Ok(Credentials::AccessKey(AccessKey { id, secret, session_token }));
        for (key, expected) in [
            ("AKIAIOSFODNN7EXAMPLE:wJalr/bPx+Key", access_key("AKIAIOSFODNN7EXAMPLE", "wJalr/bPx+Key", None)),
            ("ASIAIOSFODNN7EXAMPLE:se/cret:to+ken==", access_key("ASIAIOSFODNN7EXAMPLE", "se/cret", Some("to+ken=="))),
            ("AKIAIOSFODNN7EXAMPLE:secret:", access_key("AKIAIOSFODNN7EXAMPLE", "secret", None)),
            ("bedrock-api-key-abc:def", Ok(Credentials::Bearer("bedrock-api-key-abc:def"))),
            ("ABSKexample==", Ok(Credentials::Bearer("ABSKexample=="))),
            ("AKIAlowercaseisnone:x", Ok(Credentials::Bearer("AKIAlowercaseisnone:x"))),
        ] {
            assert_eq!(Credentials::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn half_an_access_key_is_no_key_and_is_not_repeated() {
        for (key, word) in [
            ("AKIAIOSFODNN7EXAMPLE", "ACCESS_KEY_ID:SECRET"),
            ("AKIAIOSFODNN7EXAMPLE:", "ACCESS_KEY_ID:SECRET"),
            ("ASIAIOSFODNN7EXAMPLE:secret", "SESSION_TOKEN"),
        ] {
            let error = Credentials::parse(key).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("AKIA") && !error.contains("ASIA"), "{error}");
        }
    }
}

//! A key of Ollama's kind, by which its registry knows who is there: an Ed25519 key in OpenSSH's file.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::store::Digest;

const KIND: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("this is no private key of OpenSSH")]
    NotOpenSsh,
    #[error("the key is locked with a pass phrase; make one without by `ssh-keygen -p`")]
    Locked,
    #[error("the key is no Ed25519 key; make one by `ssh-keygen -t ed25519`")]
    OtherKind,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
}

/// Without the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// Reads what `ssh-keygen -t ed25519` writes (`PROTOCOL.key` of OpenSSH).
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let inner = text.trim().strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
        let inner: String = inner.ok_or(KeyError::NotOpenSsh)?.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(inner).map_err(|_| KeyError::NotOpenSsh)?;
        let mut file = Fields(bytes.strip_prefix(MAGIC).ok_or(KeyError::NotOpenSsh)?);
        let (cipher, _function, _options) = (file.next()?, file.next()?, file.next()?);
        if cipher != b"none" {
            return Err(KeyError::Locked);
        }
        if file.number()? != 1 {
            return Err(KeyError::NotOpenSsh);
        }
        let _public = file.next()?;
        let mut secret = Fields(file.next()?);
        if secret.number()? != secret.number()? {
            return Err(KeyError::NotOpenSsh);
        }
        if secret.next()? != KIND {
            return Err(KeyError::OtherKind);
        }
        let public = secret.next()?;
        // The seed, and the public key once more.
        let seed = secret.next()?.get(..32).ok_or(KeyError::NotOpenSsh)?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| KeyError::NotOpenSsh)?;
        Ok(Self { pair: Arc::new(pair) })
    }

    /// The second word of the line that OpenSSH has in its `.pub` file.
    pub fn public(&self) -> String {
        let mut wire = Vec::new();
        for field in [KIND, self.pair.public_key().as_ref()] {
            wire.extend_from_slice(&u32::try_from(field.len()).unwrap_or(0).to_be_bytes());
            wire.extend_from_slice(field);
        }
        STANDARD.encode(wire)
    }

    /// What a GET of `url` without a body is signed with: the public key and a signature of the method, the address
    /// and the sum of the body, as Ollama's registry wants it.
    pub(super) fn authorization(&self, url: &str) -> String {
        let signed = format!("GET,{url},{}", STANDARD.encode(Digest::of(b"").hex()));
        format!("{}:{}", self.public(), STANDARD.encode(self.pair.sign(signed.as_bytes())))
    }
}

/// Fields with their length before them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], KeyError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(KeyError::NotOpenSsh)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, KeyError> {
        let bytes = self.take(4)?.try_into().map_err(|_| KeyError::NotOpenSsh)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn next(&mut self) -> Result<&'a [u8], KeyError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| KeyError::NotOpenSsh)?)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    const KEY: &str = include_str!("key/ed25519");
    const LOCKED: &str = include_str!("key/locked");
    const ECDSA: &str = include_str!("key/ecdsa");
    const PUBLIC: &str = include_str!("key/ed25519.pub");

    #[test]
    fn what_openssh_writes_is_read() {
        let key = SigningKey::parse(KEY).unwrap();
        assert_eq!(Some(key.public().as_str()), PUBLIC.split(' ').nth(1));
        assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", key.public()), "and its secret is not shown");
        assert_eq!(SigningKey::parse(LOCKED).unwrap_err(), KeyError::Locked);
        assert_eq!(SigningKey::parse(ECDSA).unwrap_err(), KeyError::OtherKind);
    }

    #[test]
    fn what_is_cut_anywhere_is_no_key() {
        let inner: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(inner).unwrap();
        // What follows the seed is a repetition, a remark and filling.
        for length in 0..bytes.len() - 80 {
            let text = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(&bytes[..length]));
            assert!(SigningKey::parse(&text).is_err(), "{length}");
        }
        for text in
            ["", "ssh-ed25519 AAAA", BEGIN, "-----BEGIN OPENSSH PRIVATE KEY-----!-----END OPENSSH PRIVATE KEY-----"]
        {
            assert_eq!(SigningKey::parse(text).unwrap_err(), KeyError::NotOpenSsh, "{text}");
        }
    }

    #[test]
    fn a_signature_is_of_the_address() {
        let key = SigningKey::parse(KEY).unwrap();
        let url = "https://hub.example/token?service=hub&ts=1&nonce=abc";
        let text = key.authorization(url);
        let (public, signature) = text.split_once(':').unwrap();
        assert_eq!(public, key.public());
        let raw = UnparsedPublicKey::new(&ED25519, key.pair.public_key().as_ref().to_vec());
        let signature = STANDARD.decode(signature).unwrap();
        // The sum of nothing, in hexadecimal and that in base64.
        let sum = "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ==";
        raw.verify(format!("GET,{url},{sum}").as_bytes(), &signature).unwrap();
        raw.verify(format!("GET,{url}&x=1,{sum}").as_bytes(), &signature).unwrap_err();
    }
}

//! Keys of an issuer (JWK, RFC 7517 and 7518): public ones that signatures are checked with. Others are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Keys of one set.
const MAX_KEYS: usize = 50;

/// How a token may be signed. That it is an enumeration of asymmetric ones is what keeps out `none`, and keys that are public
/// from being taken for shared secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    const fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }

    fn curve(self) -> Option<(Curve, &'static dyn VerificationAlgorithm)> {
        Some(match self {
            Self::Es256 => (Curve::P256, &ECDSA_P256_SHA256_FIXED),
            Self::Es384 => (Curve::P384, &ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => (Curve::Ed25519, &ED25519),
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    Ed25519,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Point(Curve, Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The only one that it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match &self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::Point(curve, _) => algorithm.curve().is_some_and(|(wanted, _)| wanted == *curve),
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    pub(super) fn has_signed(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { modulus, exponent } => algorithm.rsa().is_some_and(|parameters| {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()
            }),
            Material::Point(curve, point) => algorithm.curve().is_some_and(|(wanted, verification)| {
                wanted == *curve && UnparsedPublicKey::new(verification, point).verify(signed, signature).is_ok()
            }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("it is no set of keys: a JSON object with the list `keys`")]
    Malformed,
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
    #[error("none of its keys is a public key of RSA (2,048 bits and more), P-256, P-384 or Ed25519 for signatures")]
    None,
}

/// The keys of an issuer that signatures can be checked with.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Keys that are not understood are passed over, as other programs may use them.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let read = |value| serde_json::from_value::<Jwk>(value).ok().and_then(|jwk| key(&jwk));
        let keys: Vec<_> = document.keys.into_iter().filter_map(read).collect();
        if keys.is_empty() { Err(KeySetError::None) } else { Ok(Self(keys)) }
    }

    /// Those that may have signed something: of that kind, and of that name if there is one.
    pub(super) fn candidates(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let named = move |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        self.0.iter().filter(named).filter(move |key| key.fits(algorithm))
    }
}

fn key(jwk: &Jwk) -> Option<Key> {
    let decoded = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let coordinate = |text: &Option<String>, length| decoded(text).filter(|bytes| bytes.len() == length);
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let point = |curve, length| {
        let mut point = vec![4];
        point.extend(coordinate(&jwk.x, length)?);
        point.extend(coordinate(&jwk.y, length)?);
        Some(Material::Point(curve, point))
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let modulus: Vec<u8> = decoded(&jwk.n)?.into_iter().skip_while(|byte| *byte == 0).collect();
            // Shorter ones are broken, longer ones are there to keep us busy.
            if !(256..=1_024).contains(&modulus.len()) {
                return None;
            }
            Material::Rsa { modulus, exponent: decoded(&jwk.e)? }
        }
        ("EC", Some("P-256")) => point(Curve::P256, 32)?,
        ("EC", Some("P-384")) => point(Curve::P384, 48)?,
        ("OKP", Some("Ed25519")) => Material::Point(Curve::Ed25519, coordinate(&jwk.x, 32)?),
        _ => return None,
    };
    // One for another algorithm than ours is none of ours.
    let algorithm = match &jwk.alg {
        Some(name) => Some(Algorithm::parse(name)?),
        None => None,
    };
    Some(Key { id: jwk.kid.clone(), algorithm, material })
}

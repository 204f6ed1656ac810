//! Tokens that are good, and those that people forge.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RsaEncoding, RsaKeyPair,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SECONDS: i64 = 1_800_000_000;
/// A key that signs nothing but these.
const RSA: &[u8] = include_bytes!("rsa.pk8");

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(RSA).unwrap()
}

fn with_rsa(encoding: &'static dyn RsaEncoding) -> impl Fn(&[u8]) -> Vec<u8> {
    move |signed| {
        let key = rsa();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(encoding, &SystemRandom::new(), signed, &mut signature).unwrap();
        signature
    }
}

fn rsa_jwk(kid: &str) -> Value {
    let key = rsa();
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": encoded(public.n), "e": encoded(public.e) })
}

fn good() -> Value {
    json!({ "iss": "https://id.test", "aud": "stoa", "sub": "ann", "exp": SECONDS + 600, "role": ["user", "tester"] })
}

fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = encoded(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn keys(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap()
}

fn believed(token: &str, keys: &KeySet) -> Result<Claims, JwtError> {
    believed_with(token, keys, &BTreeMap::new())
}

fn believed_with(token: &str, keys: &KeySet, claims: &BTreeMap<String, String>) -> Result<Claims, JwtError> {
    let expected = Expected { issuer: "https://id.test", audience: "stoa", claims };
    Unverified::read(token)?.verify(keys, expected, NOW)
}

fn rs256(claims: &Value) -> String {
    token(&json!({ "alg": "RS256", "kid": "one", "typ": "JWT" }), claims, with_rsa(&RSA_PKCS1_SHA256))
}

#[test]
fn what_a_key_of_the_issuer_has_signed_is_believed() {
    let set = keys(&[rsa_jwk("one")]);
    let claims = believed(&rs256(&good()), &set).unwrap();
    assert_eq!(claims.subject(), Some("ann"));
    assert_eq!(URL_SAFE_NO_PAD.decode(&claims.encoded).unwrap(), good().to_string().as_bytes());
    for (alg, encoding) in [
        ("RS512", &RSA_PKCS1_SHA512 as &'static dyn RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
    ] {
        let signed = token(&json!({ "alg": alg }), &good(), with_rsa(encoding));
        assert!(believed(&signed, &set).is_ok(), "{alg}, and without the name of a key");
    }
    let random = SystemRandom::new();
    for (alg, curve, algorithm, length) in [
        ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
    ] {
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(length);
        let jwk = json!({ "kty": "EC", "crv": curve, "kid": "e", "x": encoded(x), "y": encoded(y) });
        let sign = |signed: &[u8]| key.sign(&random, signed).unwrap().as_ref().to_vec();
        let signed = token(&json!({ "alg": alg, "kid": "e" }), &good(), sign);
        assert!(believed(&signed, &keys(&[rsa_jwk("one"), jwk])).is_ok(), "{alg}");
        assert_eq!(believed(&signed, &set), Err(JwtError::UnknownKey));
    }
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_key()) });
    let signed = token(&json!({ "alg": "EdDSA" }), &good(), |signed| key.sign(signed).as_ref().to_vec());
    assert!(believed(&signed, &keys(&[jwk])).is_ok());
}

#[test]
fn unsigned_ones_and_those_with_a_public_key_for_a_secret_are_refused() {
    let set = keys(&[rsa_jwk("one")]);
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS1", "ES512", "ES256K", "rs256"] {
        for signature in [Vec::new(), hmac(&rsa_jwk("one")["n"], alg)] {
            let forged = token(&json!({ "alg": alg, "kid": "one" }), &good(), |_| signature.clone());
            assert_eq!(believed(&forged, &set), Err(JwtError::Algorithm), "{alg}");
        }
    }
    // As RS256, with nothing or nonsense for a signature, or with that of other claims.
    let (signed, _) = rs256(&good()).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for signature in [String::new(), encoded([0; 256]), encoded([0; 1])] {
        assert_eq!(believed(&format!("{signed}.{signature}"), &set), Err(JwtError::Signature));
    }
    let (mine, other) = (rs256(&good()), rs256(&json!({ "sub": "eve" })));
    let [header, _, signature] = mine.split('.').collect::<Vec<_>>()[..] else { unreachable!("three parts") };
    let swapped = format!("{header}.{}.{signature}", other.split('.').nth(1).unwrap());
    assert_eq!(believed(&swapped, &set), Err(JwtError::Signature));
}

/// As HMAC-SHA-256 with the text of the public key, which everybody has.
fn hmac(key: &Value, signed: &str) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let hashed = Sha256::digest(key.as_str().unwrap());
    block[..32].copy_from_slice(&hashed);
    let inner = Sha256::digest([block.map(|byte| byte ^ 0x36).as_slice(), signed.as_bytes()].concat());
    Sha256::digest([block.map(|byte| byte ^ 0x5c).as_slice(), &inner].concat()).to_vec()
}

#[test]
fn a_key_is_for_its_own_kind_of_signature_and_its_own_name() {
    let set = keys(&[rsa_jwk("one")]);
    let under = |header: Value| believed(&token(&header, &good(), with_rsa(&RSA_PKCS1_SHA256)), &set);
    assert_eq!(under(json!({ "alg": "RS256", "kid": "two" })), Err(JwtError::UnknownKey));
    assert_eq!(under(json!({ "alg": "RS256", "kid": "../one" })), Err(JwtError::UnknownKey));
    assert_eq!(under(json!({ "alg": "ES256", "kid": "one" })), Err(JwtError::UnknownKey));
    assert_eq!(under(json!({ "alg": "EdDSA", "kid": "one" })), Err(JwtError::UnknownKey));
    assert_eq!(under(json!({ "alg": "RS384", "kid": "one" })), Err(JwtError::Signature));
    assert_eq!(under(json!({ "alg": "PS256", "kid": "one" })), Err(JwtError::Signature));
    let mut only = rsa_jwk("one");
    only["alg"] = json!("PS256");
    assert_eq!(believed(&rs256(&good()), &keys(&[only])), Err(JwtError::UnknownKey));
}

#[test]
fn what_a_token_says_of_where_keys_are_is_not_followed() {
    let set = keys(&[rsa_jwk("one")]);
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let mine = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(mine.public_key()) });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.test/keys")),
        ("x5u", json!("https://evil.test/chain")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({ "alg": "EdDSA" });
        header[name] = value;
        let forged = token(&header, &good(), |signed| mine.sign(signed).as_ref().to_vec());
        assert_eq!(believed(&forged, &set), Err(JwtError::UnknownKey), "{name}");
        header["alg"] = json!("RS256");
        let signed = token(&header, &good(), with_rsa(&RSA_PKCS1_SHA256));
        assert!(believed(&signed, &set).is_ok(), "{name} does no harm to a good one");
    }
    let critical =
        token(&json!({ "alg": "RS256", "crit": ["b64"], "b64": false }), &good(), with_rsa(&RSA_PKCS1_SHA256));
    assert_eq!(believed(&critical, &set), Err(JwtError::Malformed));
}

#[test]
fn it_must_be_for_us_from_them_and_for_now() {
    let set = keys(&[rsa_jwk("one")]);
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        believed(&rs256(&claims), &set).map(drop)
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        believed(&rs256(&claims), &set).map(drop)
    };
    assert_eq!(with("iss", json!("https://id.test/")), Err(JwtError::Issuer));
    assert_eq!(with("iss", json!(["https://id.test"])), Err(JwtError::Issuer));
    assert_eq!(without("iss"), Err(JwtError::Issuer));
    assert_eq!(with("aud", json!("other")), Err(JwtError::Audience));
    assert_eq!(with("aud", json!([["stoa"]])), Err(JwtError::Audience));
    assert_eq!(without("aud"), Err(JwtError::Audience));
    assert_eq!(with("aud", json!(["other", "stoa"])), Ok(()));
    assert_eq!(without("exp"), Err(JwtError::NoEnd));
    assert_eq!(with("exp", json!("9999999999")), Err(JwtError::Malformed));
    assert_eq!(with("exp", json!(null)), Err(JwtError::Malformed));
    assert_eq!(with("exp", json!(SECONDS - 60)), Err(JwtError::Expired));
    assert_eq!(with("exp", json!(SECONDS - 59)), Ok(()), "clocks differ");
    assert_eq!(with("exp", json!(SECONDS + 1)), Ok(()));
    assert_eq!(with("nbf", json!(SECONDS + 61)), Err(JwtError::TooEarly));
    assert_eq!(with("nbf", json!(SECONDS + 60)), Ok(()));
    assert_eq!(with("nbf", json!("soon")), Err(JwtError::Malformed));
}

#[test]
fn further_claims_are_asked_for_by_name_and_value() {
    let set = keys(&[rsa_jwk("one")]);
    let signed = rs256(&good());
    let asked = |name: &str, value: &str| {
        believed_with(&signed, &set, &BTreeMap::from([(name.to_owned(), value.to_owned())])).map(drop)
    };
    assert_eq!(
        (asked("sub", "ann"), asked("role", "tester"), asked("exp", &(SECONDS + 600).to_string())),
        (Ok(()), Ok(()), Ok(()))
    );
    for (name, value) in [("sub", "anna"), ("sub", ""), ("role", "admin"), ("tenant", "x")] {
        assert_eq!(asked(name, value), Err(JwtError::Claim { name: name.to_owned() }));
    }
}

#[test]
fn what_is_too_large_or_no_token_is_refused_before_anything_is_computed() {
    let set = keys(&[rsa_jwk("one")]);
    let mut claims = good();
    claims["more"] = json!("x".repeat(MAX_TOKEN_BYTES));
    assert_eq!(believed(&rs256(&claims), &set), Err(JwtError::TooLarge));
    let signed = rs256(&good());
    for text in [
        "",
        ".",
        "..",
        "a.b.c",
        &signed.replace('.', ""),
        &format!("{signed}."),
        &format!(".{signed}"),
        &format!("{signed}="),
        &format!(" {signed}"),
        &format!("{}.{}.x", encoded("[]"), encoded("{}")),
        &format!("{}.{}.x", encoded(r#"{"kid":"one"}"#), encoded("{}")),
        &format!("{}.{}.x", encoded(r#"{"alg":["RS256"]}"#), encoded("{}")),
    ] {
        let error = believed(text, &set).unwrap_err();
        assert!(matches!(error, JwtError::Malformed | JwtError::Signature), "{text}: {error}");
    }
    let list = token(&json!({ "alg": "RS256" }), &json!([1]), with_rsa(&RSA_PKCS1_SHA256));
    assert_eq!(believed(&list, &set), Err(JwtError::Malformed));
}

#[test]
fn only_public_keys_for_signatures_are_taken_from_a_set() {
    let parsed = |jwk: Value| KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).err();
    let mut encryption = rsa_jwk("one");
    encryption["use"] = json!("enc");
    let mut symmetric_alg = rsa_jwk("one");
    symmetric_alg["alg"] = json!("HS256");
    let short = json!({ "kty": "RSA", "n": encoded([0xff; 128]), "e": "AQAB" });
    let padded = json!({ "kty": "RSA", "n": encoded([[0; 200].as_slice(), &[0xff; 128]].concat()), "e": "AQAB" });
    for jwk in [
        json!({ "kty": "oct", "k": encoded("secret") }),
        encryption,
        symmetric_alg,
        short,
        padded,
        json!({ "kty": "EC", "crv": "P-521", "x": encoded([1; 66]), "y": encoded([1; 66]) }),
        json!({ "kty": "EC", "crv": "P-256", "x": encoded([1; 31]), "y": encoded([1; 32]) }),
        json!("text"),
    ] {
        assert_eq!(parsed(jwk.clone()), Some(KeySetError::None), "{jwk}");
    }
    assert_eq!(parsed(rsa_jwk("one")), None);
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "\u{0}"] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeySetError::Malformed), "{text}");
    }
    let many = vec![rsa_jwk("one"); 51];
    assert_eq!(KeySet::parse(json!({ "keys": many }).to_string().as_bytes()).err(), Some(KeySetError::TooMany));
}

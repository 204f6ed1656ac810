//! Registries that want to know who is there: by password, and by token.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use ring::signature::{ED25519, UnparsedPublicKey};
use stoa_model_store::registry::{Access, Credentials, RegistryError, RegistryOptions, SigningKey};

use crate::proxy::{Do, Proxy, Seen};
use crate::support::{Distribution, House, KIB, Model, named, quick};

/// `user:password` in a Basic header.
const BASIC: &str = "Basic dXNlcjpwYXNzd29yZA==";

fn with_password(authority: &str, password: &str) -> RegistryOptions {
    let credentials = Some(Credentials::Password { username: "user".to_owned(), password: password.to_owned() });
    RegistryOptions { access: [(authority.to_owned(), Access { credentials, ..Access::default() })].into(), ..quick() }
}

#[tokio::test]
async fn a_real_registry_lets_in_who_has_the_password() {
    let registry = Distribution::with_password();
    let name = registry.name("library/tiny:latest");
    let stranger = House::new([registry.authority.as_str()]);
    let forgetful = House::with([registry.authority.as_str()], with_password(&registry.authority, "wrong"));
    for house in [stranger, forgetful] {
        let error = house.pull(&name).await.unwrap_err();
        assert!(matches!(&*error, RegistryError::Unauthorized { .. }), "{error}");
    }
    let house = House::with([registry.authority.as_str()], with_password(&registry.authority, "password"));
    let error = house.pull(&name).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::NotFound { .. }), "{error}");
}

/// A registry that gives out tokens at its own `/token`, each good for so many requests.
fn tokens(good_for: usize) -> impl Fn(&Seen) -> Do + Send + Sync + 'static {
    let (given, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    move |seen| {
        if seen.path.starts_with("/token") {
            if seen.authorization.as_deref() != Some(BASIC) {
                return Do::Answer(StatusCode::UNAUTHORIZED, Vec::new(), Vec::new());
            }
            used.store(0, Ordering::SeqCst);
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            return Do::Answer(StatusCode::OK, Vec::new(), format!(r#"{{"token":"t{number}","expires_in":1}}"#).into());
        }
        let current = format!("Bearer t{}", given.load(Ordering::SeqCst));
        if seen.authorization.as_ref() == Some(&current) && used.fetch_add(1, Ordering::SeqCst) < good_for {
            return Do::Pass;
        }
        let challenge = r#"Bearer realm="http://HOST/token?x=1",service="hub",scope="repository:library/tiny:pull""#;
        let challenge = challenge.replace("HOST", seen.host.as_deref().unwrap());
        Do::Answer(StatusCode::UNAUTHORIZED, vec![(WWW_AUTHENTICATE, challenge)], Vec::new())
    }
}

#[tokio::test]
async fn a_token_is_fetched_used_and_fetched_again_when_it_has_run_out() {
    let registry = Distribution::start();
    let model = Model::of(1_500 * KIB);
    model.upload(&registry, &registry.name("library/tiny:latest")).await;
    let hub = Proxy::start(&registry.authority, tokens(3)).await;
    let house = House::with([hub.authority.as_str()], with_password(&hub.authority, "password"));
    house.pull(&named(&hub.authority, "library/tiny:latest")).await.unwrap();
    house.assert_has(&model);
    let fetched: Vec<String> =
        hub.seen().into_iter().map(|seen| seen.path).filter(|path| path.starts_with("/token")).collect();
    assert!(fetched.len() >= 2, "{fetched:?}");
    assert_eq!(fetched[0], "/token?x=1&service=hub&scope=repository%3Alibrary%2Ftiny%3Apull");
    let blobs = hub.blobs();
    assert!(blobs.iter().all(|seen| seen.authorization.as_deref().is_some_and(|text| text.starts_with("Bearer"))));
}

#[tokio::test]
async fn a_registry_that_gives_no_token_is_not_asked_for_ever() {
    let hub = Proxy::start("127.0.0.1:9", tokens(0)).await;
    let name = named(&hub.authority, "library/tiny:latest");
    let house = House::with([hub.authority.as_str()], with_password(&hub.authority, "wrong"));
    assert!(matches!(&*house.pull(&name).await.unwrap_err(), RegistryError::Unauthorized { .. }));
    assert_eq!(hub.seen().len(), 2);
    let house = House::with([hub.authority.as_str()], with_password(&hub.authority, "password"));
    assert!(matches!(&*house.pull(&name).await.unwrap_err(), RegistryError::Unauthorized { .. }));
    assert_eq!(hub.seen().len(), 5, "asked, fetched, asked again");
}

#[tokio::test]
async fn a_sign_in_of_an_unknown_kind_is_said_to_be_so() {
    for challenge in [None, Some("Negotiate"), Some("Bearer realm=\"not an address\"")] {
        let hub = Proxy::start("127.0.0.1:9", move |_| {
            let headers = challenge.map(|text| (WWW_AUTHENTICATE, text.to_owned())).into_iter().collect();
            Do::Answer(StatusCode::UNAUTHORIZED, headers, Vec::new())
        })
        .await;
        let house = House::new([hub.authority.as_str()]);
        let error = house.pull(&named(&hub.authority, "library/m:latest")).await.unwrap_err();
        assert!(matches!(&*error, RegistryError::Challenge { .. }), "{challenge:?}: {error}");
    }
}

#[tokio::test]
async fn a_key_signs_for_the_token_and_is_told_to_nobody_else() {
    let key = SigningKey::parse(include_str!("../../src/registry/key/ed25519")).unwrap();
    let public = key.public();
    let registry = Distribution::start();
    let model = Model::of(100 * KIB);
    model.upload(&registry, &registry.name("library/tiny:latest")).await;
    let hub = Proxy::start(&registry.authority, move |seen| {
        let authorization = seen.authorization.as_deref().unwrap_or_default();
        if seen.path.starts_with("/token") {
            let known = authorization.split_once(':').is_some_and(|(told, signature)| {
                let url = format!("http://{}{}", seen.host.as_deref().unwrap(), seen.path);
                told == public && is_signed(told, &url, signature)
            });
            let status = if known { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            return Do::Answer(status, Vec::new(), br#"{"token":"good"}"#.to_vec());
        }
        if authorization == "Bearer good" {
            return Do::Pass;
        }
        let challenge = r#"Bearer realm="http://HOST/token",service="hub",scope="repository:library/tiny:pull""#;
        let challenge = challenge.replace("HOST", seen.host.as_deref().unwrap());
        Do::Answer(StatusCode::UNAUTHORIZED, vec![(WWW_AUTHENTICATE, challenge)], Vec::new())
    })
    .await;
    let access = Access { credentials: Some(Credentials::Key(key)), ..Access::default() };
    let options = RegistryOptions { access: [(hub.authority.clone(), access)].into(), ..quick() };
    let house = House::with([hub.authority.as_str()], options);
    house.pull(&named(&hub.authority, "library/tiny:latest")).await.unwrap();
    house.assert_has(&model);
    let seen = hub.seen();
    let signed: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/token")).collect();
    assert_eq!(signed.len(), 1);
    assert!(signed[0].path.contains("&ts=") && signed[0].path.contains("&nonce="), "{}", signed[0].path);
    let others = seen.iter().filter(|seen| !seen.path.starts_with("/token"));
    assert!(others.filter_map(|seen| seen.authorization.as_deref()).all(|text| text == "Bearer good"));
}

/// Whether the key, as OpenSSH writes it, has signed a GET of the address without a body.
fn is_signed(public: &str, url: &str, signature: &str) -> bool {
    let key = STANDARD.decode(public).unwrap().split_off(19);
    let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let signed = format!("GET,{url},{}", STANDARD.encode(sum));
    let signature = STANDARD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature).is_ok()
}

//! What a hostile registry or a hostile name may try, and does not get.

use std::sync::Arc;
use std::sync::Mutex;

use http::StatusCode;
use http::header::{CONTENT_ENCODING, WWW_AUTHENTICATE};
use serde_json::json;
use stoa_model_store::Digest;
use stoa_model_store::registry::{Access, Credentials, RegistryError, RegistryOptions};

use crate::proxy::{Do, Proxy, Seen};
use crate::support::{Distribution, House, KIB, Model, named, quick};

fn canned(content: impl Into<Vec<u8>>) -> Do {
    Do::Answer(StatusCode::OK, Vec::new(), content.into())
}

/// Pulls from a registry that answers so, and says why that failed.
async fn refusal(answer: impl Fn(&Seen) -> Do + Send + Sync + 'static) -> Arc<RegistryError> {
    let proxy = Proxy::start("127.0.0.1:9", answer).await;
    let house = House::new([proxy.authority.as_str()]);
    let error = house.pull(&named(&proxy.authority, "library/evil:latest")).await.unwrap_err();
    house.assert_empty();
    error
}

#[tokio::test]
async fn a_digest_is_never_a_path() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for digest in [
        "sha256:../../../../etc/passwd".to_owned(),
        "../../etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        format!("sha256:{}", "../".repeat(21) + "a"),
        format!("sha256-{}", "../".repeat(21) + "a"),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("sha256:{hex}\n"),
        format!("sha256-{hex}\n"),
        format!("sha256-{}\n", &hex[1..]),
        format!("sha256:{hex}\0"),
        format!("sha512:{hex}"),
        String::new(),
    ] {
        for place in ["layer", "config"] {
            let good = Digest::of(b"").to_string();
            let (layer, config) = if place == "layer" { (&digest, &good) } else { (&good, &digest) };
            let manifest = json!({
                "schemaVersion": 2,
                "config": { "mediaType": "x", "digest": config, "size": 0 },
                "layers": [{ "mediaType": "application/vnd.ollama.image.model", "digest": layer, "size": 0 }],
            });
            let error = refusal(move |_| canned(manifest.to_string())).await;
            assert!(matches!(&*error, RegistryError::Manifest { .. }), "{digest:?} as {place}: {error}");
        }
    }
}

#[tokio::test]
async fn a_manifest_is_small_and_what_it_should_be() {
    let layer = json!({ "mediaType": "x", "digest": Digest::of(b""), "size": 1 });
    let longer = json!({ "mediaType": "x", "digest": Digest::of(b""), "size": 2 });
    for (what, content) in [
        ("empty", String::new()),
        ("a page", "<html></html>".to_owned()),
        ("without layers", json!({ "schemaVersion": 2, "config": layer, "layers": [] }).to_string()),
        ("of the first version", json!({ "schemaVersion": 1, "config": layer, "layers": [layer] }).to_string()),
        ("an index", json!({ "schemaVersion": 2, "manifests": [layer] }).to_string()),
        ("of two minds", json!({ "schemaVersion": 2, "config": layer, "layers": [longer] }).to_string()),
        ("huge", json!({ "schemaVersion": 2, "config": layer, "layers": vec![layer.clone(); 20_000] }).to_string()),
        ("deep", "[".repeat(500_000)),
    ] {
        let error = refusal(move |_| canned(content.clone())).await;
        assert!(matches!(&*error, RegistryError::Manifest { .. }), "{what}: {error}");
    }
}

#[tokio::test]
async fn sizes_that_add_up_to_more_than_there_is_are_refused() {
    let manifest = |size: u64| {
        let config = json!({ "mediaType": "x", "digest": Digest::of(b"config"), "size": 1 });
        let layer = json!({ "mediaType": "x", "digest": Digest::of(b"layer"), "size": size });
        json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string()
    };
    let error = refusal(move |_| canned(manifest(u64::MAX))).await;
    assert!(matches!(&*error, RegistryError::TooLarge { .. }), "{error}");

    let proxy = Proxy::start("127.0.0.1:9", move |_| canned(manifest(1 << 60))).await;
    let options = RegistryOptions { max_model_bytes: u64::MAX, ..quick() };
    let house = House::with([proxy.authority.as_str()], options);
    let error = house.pull(&named(&proxy.authority, "library/large:latest")).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::NoSpace { needed_bytes, .. } if *needed_bytes > 1 << 60), "{error}");
    assert_eq!(proxy.blobs().len(), 0);
    house.assert_empty();
}

#[tokio::test]
async fn nothing_is_unpacked() {
    // The head of a gzip file; it could hold a thousand times its length.
    let error = refusal(|_| {
        let headers = vec![(CONTENT_ENCODING, "gzip".to_owned())];
        Do::Answer(StatusCode::OK, headers, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    })
    .await;
    assert!(matches!(&*error, RegistryError::Packed { encoding, .. } if encoding == "gzip"), "{error}");
}

#[tokio::test]
async fn a_digest_that_was_announced_and_not_kept_is_a_lie() {
    let error = refusal(|_| {
        let headers = vec![("docker-content-digest".parse().unwrap(), Digest::of(b"other").to_string())];
        Do::Answer(StatusCode::OK, headers, b"{}".to_vec())
    })
    .await;
    assert!(matches!(&*error, RegistryError::Manifest { .. }), "{error}");
}

#[tokio::test]
async fn a_name_leads_nowhere_inside_unless_allowed() {
    let inner = Proxy::start("127.0.0.1:9", |_| Do::HangUp).await;
    let house = House::new([]);
    let port = inner.authority.split_once(':').unwrap().1;
    for host in
        [inner.authority.clone(), format!("localhost:{port}"), format!("0x7f.1:{port}"), "169.254.169.254".into()]
    {
        let error = house.pull(&named(&host, "library/m:latest")).await.unwrap_err();
        let authority = error.refused_authority().unwrap_or_else(|| panic!("{host}: {error}"));
        assert!(authority.contains(':'), "{authority}");
    }
    assert_eq!(inner.seen().len(), 0);
    house.assert_empty();
}

#[tokio::test]
async fn a_redirect_leads_nowhere_inside_unless_allowed() {
    let inner = Proxy::start("127.0.0.1:9", |_| Do::HangUp).await;
    let model = Model::of(300 * KIB);
    for manifest_too in [true, false] {
        let (to, text) = (format!("http://{}/secret", inner.authority), model.manifest());
        let outer = Proxy::start("127.0.0.1:9", move |seen| {
            if seen.is_blob() || manifest_too { Do::Redirect(to.clone()) } else { canned(text.clone()) }
        })
        .await;
        let house = House::new([outer.authority.as_str()]);
        let error = house.pull(&named(&outer.authority, "library/m:latest")).await.unwrap_err();
        assert_eq!(error.refused_authority(), Some(inner.authority.as_str()), "{error}");
        assert_eq!(outer.blobs().len(), usize::from(!manifest_too), "it is not tried again");
    }
    assert_eq!(inner.seen().len(), 0);
}

#[tokio::test]
async fn blobs_may_lie_elsewhere_but_no_password_goes_there() {
    let registry = Distribution::start();
    let model = Model::of(600 * KIB);
    model.upload(&registry, &registry.name("library/tiny:latest")).await;
    let store = Proxy::start(&registry.authority, |_| Do::Pass).await;
    let to = format!("http://{}", store.authority);
    let front = Proxy::start(&registry.authority, move |seen| match &seen.authorization {
        None => {
            Do::Answer(StatusCode::UNAUTHORIZED, vec![(WWW_AUTHENTICATE, "Basic realm=\"x\"".to_owned())], Vec::new())
        }
        // First to another path here, then to another host.
        Some(_) if seen.is_blob() && !seen.path.contains('?') => Do::Redirect(format!("{}?again", seen.path)),
        Some(_) if seen.is_blob() => Do::Redirect(format!("{to}{}", seen.path)),
        Some(_) => Do::Pass,
    })
    .await;
    let credentials = Some(Credentials::Password { username: "user".to_owned(), password: "password".to_owned() });
    let access = [(front.authority.clone(), Access { credentials, ..Access::default() })].into();
    let options = RegistryOptions { access, ..quick() };
    let house = House::with([front.authority.as_str(), store.authority.as_str()], options);
    house.pull(&named(&front.authority, "library/tiny:latest")).await.unwrap();
    house.assert_has(&model);
    assert!(store.blobs().len() >= 3, "two parts or more, and the configuration");
    assert!(store.seen().iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn a_token_is_not_fetched_from_another_host() {
    let thief = Proxy::start("127.0.0.1:9", |_| canned(r#"{"token":"x"}"#)).await;
    let realm = format!("http://{}/token", thief.authority);
    for host_too in [false, true] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let front = Proxy::start("127.0.0.1:9", move |_| {
            Do::Answer(StatusCode::UNAUTHORIZED, vec![(WWW_AUTHENTICATE, challenge.clone())], Vec::new())
        })
        .await;
        let credentials = Some(Credentials::Password { username: "user".to_owned(), password: "password".to_owned() });
        let token_host = host_too.then(|| thief.authority.parse().unwrap());
        let access = [(front.authority.clone(), Access { credentials, token_host, ..Access::default() })].into();
        let options = RegistryOptions { access, ..quick() };
        let house = House::with([front.authority.as_str(), thief.authority.as_str()], options);
        let error = house.pull(&named(&front.authority, "library/m:latest")).await.unwrap_err();
        if host_too {
            assert!(matches!(&*error, RegistryError::Unauthorized { .. }), "{error}");
            assert_eq!(thief.seen().len(), 1, "an administrator said that tokens come from there");
        } else {
            assert!(
                matches!(&*error, RegistryError::ForeignRealm { realm, .. } if *realm == thief.authority),
                "{error}"
            );
            assert_eq!(thief.seen().len(), 0);
        }
    }
}

#[tokio::test]
async fn a_registry_that_is_not_listed_is_not_reached() {
    let registry = Proxy::start("127.0.0.1:9", |_| Do::HangUp).await;
    let options = RegistryOptions { allowed: Some(["hub.example".to_owned()].into()), ..quick() };
    let house = House::with([registry.authority.as_str()], options);
    let error = house.pull(&named(&registry.authority, "library/m:latest")).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::NotAllowed { .. }), "{error}");
    assert_eq!(registry.seen().len(), 0);
}

#[tokio::test]
async fn what_a_registry_says_is_passed_on_in_brief() {
    let said = Mutex::new(vec![
        (StatusCode::FORBIDDEN, ""),
        (StatusCode::IM_A_TEAPOT, r#"{"errors":[{"code":"TEA","message":"short and stout"}]}"#),
    ]);
    let proxy = Proxy::start("127.0.0.1:9", move |_| {
        let (status, text) = said.lock().unwrap().remove(0);
        Do::Answer(status, Vec::new(), text.into())
    })
    .await;
    let house = House::new([proxy.authority.as_str()]);
    let name = named(&proxy.authority, "library/m:latest");
    assert!(matches!(&*house.pull(&name).await.unwrap_err(), RegistryError::Forbidden { .. }));
    let error = house.pull(&name).await.unwrap_err().to_string();
    assert!(error.ends_with("418 I'm a teapot: short and stout"), "{error}");
}

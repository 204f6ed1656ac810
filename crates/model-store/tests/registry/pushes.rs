//! Pushes to a real registry, and what comes back from there.

use std::collections::HashSet;

use futures_util::StreamExt as _;
use http::StatusCode;
use stoa_model_store::registry::{Access, Credentials, PushEvent, Registries, RegistryError, RegistryOptions};
use stoa_model_store::{Digest, ModelName, StoreError};

use crate::proxy::{Do, Proxy};
use crate::support::{Distribution, House, KIB, Model, named, quick};

async fn push(registries: &Registries, name: &ModelName) -> Result<Vec<PushEvent>, std::sync::Arc<RegistryError>> {
    let mut events = registries.push(name);
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        let event = event?;
        if let (
            Some(PushEvent::Pushing { digest, completed, .. }),
            PushEvent::Pushing { digest: next, completed: now, total },
        ) = (seen.last(), &event)
        {
            assert!(now <= total && (digest != next || completed <= now));
        }
        seen.push(event);
    }
    Ok(seen)
}

/// A house with a model that it has from one registry, by the name that it has at another.
async fn with_model(model: &Model, options: RegistryOptions, destination: &ModelName, allowed: &[&str]) -> House {
    let origin = Distribution::start();
    let source = origin.name("library/tiny:latest");
    model.upload(&origin, &source).await;
    let house = House::with(allowed.iter().copied().chain([origin.authority.as_str()]), options);
    house.pull(&source).await.unwrap();
    house.store().copy(&source.to_string(), &destination.to_string()).unwrap();
    house.store().remove(&source.to_string()).unwrap();
    house
}

fn model() -> Model {
    Model::of(1_100 * KIB)
        .with("application/vnd.ollama.image.system", "Be terse.")
        .with("application/vnd.ollama.image.license", "")
}

#[tokio::test]
async fn a_pushed_model_comes_back_the_same() {
    let registry = Distribution::start();
    let name = registry.name("team/tiny:1b");
    let allowed = [registry.authority.as_str()];
    let model = model();
    let house = with_model(&model, quick(), &name, &allowed).await;
    let events = push(&house.registries, &name).await.unwrap();
    let mut lines: Vec<String> = events.iter().map(PushEvent::status).collect();
    lines.dedup();
    let mut expected = vec!["retrieving manifest".to_owned()];
    expected.extend((0..model.layers.len()).map(|layer| format!("pushing {}", model.digest(layer).short())));
    expected.push(format!("pushing {}", Digest::of(&Model::config()).short()));
    expected.extend(["pushing manifest", "success"].map(str::to_owned));
    assert_eq!(lines, expected);

    let other = House::new(allowed);
    other.pull(&name).await.unwrap();
    other.assert_has(&model);
    let digests: HashSet<_> =
        [&house, &other].map(|house| house.store().find(&name.to_string()).unwrap().manifest_digest).into();
    assert_eq!(digests, HashSet::from([Digest::of(model.manifest().as_bytes())]));
    assert!(house.files("claims").is_empty());
}

#[tokio::test]
async fn what_the_registry_has_is_not_sent_again() {
    let registry = Distribution::start();
    let proxy = Proxy::start(&registry.authority, |_| Do::Pass).await;
    let name = named(&proxy.authority, "team/tiny:1b");
    let house = with_model(&model(), quick(), &name, &[proxy.authority.as_str()]).await;
    push(&house.registries, &name).await.unwrap();
    let sent = |method: &str| proxy.seen().iter().filter(|seen| seen.method == method).count();
    let (uploads, pieces) = (sent("POST"), sent("PATCH"));
    assert_eq!((uploads, pieces), (4, 5), "the weights in five pieces, the others at once");
    push(&house.registries, &name).await.unwrap();
    assert_eq!((sent("POST"), sent("PATCH")), (uploads, pieces));
}

#[tokio::test]
async fn an_upload_that_is_interrupted_goes_on() {
    let registry = Distribution::start();
    let proxy = Proxy::start(&registry.authority, |seen| match (seen.method.as_str(), seen.earlier_of_method) {
        ("PATCH", 2) => Do::Answer(StatusCode::BAD_GATEWAY, Vec::new(), Vec::new()),
        ("PATCH", 4) | ("HEAD" | "POST" | "PUT", 1) => Do::HangUp,
        _ => Do::Pass,
    })
    .await;
    let name = named(&proxy.authority, "team/tiny:1b");
    let model = model();
    let house = with_model(&model, quick(), &name, &[proxy.authority.as_str()]).await;
    push(&house.registries, &name).await.unwrap();
    let other = House::new([proxy.authority.as_str()]);
    other.pull(&name).await.unwrap();
    other.assert_has(&model);
    let begun = proxy.seen().iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(begun, 5, "no upload was begun twice, but for the one that was refused");
}

#[tokio::test]
async fn a_push_that_is_not_allowed_says_so() {
    let registry = Distribution::with_password();
    let name = registry.name("team/tiny:1b");
    let house = with_model(&Model::of(10), quick(), &name, &[registry.authority.as_str()]).await;
    let error = push(&house.registries, &name).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::Unauthorized { .. }), "{error}");

    let credentials = Some(Credentials::Password { username: "user".to_owned(), password: "password".to_owned() });
    let access = [(registry.authority.clone(), Access { credentials, ..Access::default() })].into();
    let options = RegistryOptions { access, ..quick() };
    let house = with_model(&Model::of(10), options, &name, &[registry.authority.as_str()]).await;
    push(&house.registries, &name).await.unwrap();
    house.pull(&name).await.unwrap();

    let error = push(&house.registries, &registry.name("team/none:latest")).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::Store(StoreError::NotFound { .. })), "{error}");
}

#[tokio::test]
async fn an_upload_is_not_sent_where_nobody_allowed_it() {
    let inner = Proxy::start("127.0.0.1:9", |_| Do::HangUp).await;
    let to = format!("http://{}/upload", inner.authority);
    let proxy = Proxy::start("127.0.0.1:9", move |seen| match seen.method.as_str() {
        "HEAD" => Do::Answer(StatusCode::NOT_FOUND, Vec::new(), Vec::new()),
        _ => Do::Answer(StatusCode::ACCEPTED, vec![(http::header::LOCATION, to.clone())], Vec::new()),
    })
    .await;
    let name = named(&proxy.authority, "team/tiny:1b");
    let house = with_model(&Model::of(10), quick(), &name, &[proxy.authority.as_str()]).await;
    let error = push(&house.registries, &name).await.unwrap_err();
    assert_eq!(error.refused_authority(), Some(inner.authority.as_str()), "{error}");
    assert_eq!(inner.seen().len(), 0);
}

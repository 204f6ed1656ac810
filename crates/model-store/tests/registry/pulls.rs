//! A pull from its first line to the model in the store.

use std::fs;

use stoa_model_store::registry::{PullEvent, RegistryError, RegistryOptions};
use stoa_model_store::{Digest, StoreError};

use crate::gguf::fixture::{eye, good};
use crate::support::{Distribution, House, KIB, Model, quick, statuses};

#[tokio::test]
async fn a_model_comes_from_a_plain_registry_as_it_is() {
    let registry = Distribution::start();
    let name = registry.name("library/tiny:1b");
    let model = Model::of(900 * KIB)
        .with("application/vnd.ollama.image.template", "{{ .Prompt }}")
        .with("application/vnd.ollama.image.params", r#"{"temperature":0.5}"#)
        .with("application/vnd.ollama.image.license", "MIT");
    model.upload(&registry, &name).await;
    let house = House::new([registry.authority.as_str()]);
    let events = house.pull(&name).await.unwrap();

    let short = |digest: &Digest| format!("pulling {}", digest.short());
    let mut expected = vec!["pulling manifest".to_owned()];
    expected.extend((0..model.layers.len()).map(|layer| short(&model.digest(layer))));
    expected.push(short(&Digest::of(&Model::config())));
    expected.extend(["verifying sha256 digest", "writing manifest", "success"].map(str::to_owned));
    assert_eq!(statuses(&events), expected);
    for (kind, content) in &model.layers {
        let (digest, size) = (Digest::of(content), content.len() as u64);
        let whole = |event: &PullEvent| matches!(event, PullEvent::Pulling { digest: of, total, completed, .. } if *of == digest && *total == size && *completed == size);
        assert!(events.iter().any(whole), "{kind}");
    }

    house.assert_has(&model);
    let path = house.directory.path().join("manifests").join(&registry.authority).join("library/tiny/1b");
    assert_eq!(fs::read_to_string(path).unwrap(), model.manifest(), "byte by byte");
    let details = house.store().details(&name.to_string()).unwrap();
    assert_eq!(details.model.manifest_digest, Digest::of(model.manifest().as_bytes()));
    assert_eq!(details.template.as_deref(), Some("{{ .Prompt }}"));
    assert_eq!(details.parameters["temperature"], 0.5);
    assert_eq!(details.licenses, ["MIT"]);
    assert_eq!(details.model.gguf.architecture, "llama");
}

#[tokio::test]
async fn what_is_there_is_not_brought_again_and_what_is_replaced_goes() {
    let registry = Distribution::start();
    let name = registry.name("library/tiny:latest");
    let first = Model::of(300 * KIB).with("application/vnd.ollama.image.system", "one");
    first.upload(&registry, &name).await;
    let house = House::new([registry.authority.as_str()]);
    house.pull(&name).await.unwrap();
    let again = house.pull(&name).await.unwrap();
    assert!(!statuses(&again).contains(&"removing unused layers".to_owned()));

    let mut second = first.clone();
    second.layers[1].1 = b"two".to_vec();
    second.upload(&registry, &name).await;
    let events = house.pull(&name).await.unwrap();
    assert!(statuses(&events).ends_with(&["writing manifest", "removing unused layers", "success"].map(str::to_owned)));
    house.assert_has(&second);
}

#[tokio::test]
async fn layers_of_unknown_kinds_are_kept() {
    let registry = Distribution::start();
    let name = registry.name("library/tensors:latest");
    let model = Model { layers: vec![("application/vnd.ollama.image.tensor", vec![7; 5_000])] }
        .with("application/vnd.example.thing", "")
        .with("application/vnd.ollama.image.license", "");
    model.upload(&registry, &name).await;
    let house = House::new([registry.authority.as_str()]);
    house.pull(&name).await.unwrap();
    let (_, text) = house.store().manifest_text(&name).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), model.manifest());
    assert!(house.store().list().unwrap().is_empty(), "it has no weights that could be run here");
}

#[tokio::test]
async fn weights_that_must_not_be_seen_never_become_a_model() {
    let registry = Distribution::start();
    let house = House::new([registry.authority.as_str()]);
    let zero = good().with_u32("llama.block_count", 0).bytes();
    let cut = good().bytes();
    for (name, content) in [("zero", zero), ("text", b"no model".to_vec()), ("cut", cut[..cut.len() - 90].to_vec())] {
        let name = registry.name(&format!("library/{name}:latest"));
        Model { layers: vec![("application/vnd.ollama.image.model", content)] }.upload(&registry, &name).await;
        let error = house.pull(&name).await.unwrap_err();
        assert!(matches!(&*error, RegistryError::Store(StoreError::UnusableBlob { .. })), "{error}");
        house.assert_empty();
    }
    let name = registry.name("library/seeing:latest");
    let projector = eye().with_u32("general.alignment", 0).bytes();
    Model::of(0).with("application/vnd.ollama.image.projector", projector).upload(&registry, &name).await;
    let error = house.pull(&name).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::Store(StoreError::UnusableBlob { .. })), "{error}");
    house.assert_empty();
}

#[tokio::test]
async fn a_model_with_its_projector_is_taken() {
    let registry = Distribution::start();
    let name = registry.name("library/seeing:latest");
    let projector = eye().without("general.type").bytes();
    let model = Model::of(0).with("application/vnd.ollama.image.projector", projector);
    model.upload(&registry, &name).await;
    let house = House::new([registry.authority.as_str()]);
    house.pull(&name).await.unwrap();
    house.assert_has(&model);
}

#[tokio::test]
async fn a_model_that_is_not_there_is_said_not_to_be() {
    let registry = Distribution::start();
    let house = House::new([registry.authority.as_str()]);
    let error = house.pull(&registry.name("library/none:latest")).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::NotFound { .. }), "{error}");
    house.assert_empty();
}

#[tokio::test]
async fn a_model_larger_than_allowed_is_refused_before_it_is_brought() {
    let registry = Distribution::start();
    let name = registry.name("library/tiny:latest");
    Model::of(300 * KIB).upload(&registry, &name).await;
    let options = RegistryOptions { max_model_bytes: 200 * KIB as u64, ..quick() };
    let house = House::with([registry.authority.as_str()], options);
    let error = house.pull(&name).await.unwrap_err();
    assert!(matches!(&*error, RegistryError::TooLarge { .. }), "{error}");
    house.assert_empty();
}

#[tokio::test]
async fn two_names_of_one_model_share_its_blobs() {
    let registry = Distribution::start();
    let (one, other) = (registry.name("library/tiny:one"), registry.name("library/tiny:other"));
    let model = Model::of(300 * KIB);
    for name in [&one, &other] {
        model.upload(&registry, name).await;
    }
    let house = House::new([registry.authority.as_str()]);
    let (first, second) = tokio::join!(house.pull(&one), house.pull(&other));
    first.unwrap();
    second.unwrap();
    house.assert_has(&model);
    house.store().remove(&one.to_string()).unwrap();
    assert!(house.store().find(&other.to_string()).is_ok());
}

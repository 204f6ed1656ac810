//! Models made of what is there: copies, uploads, new models from old ones, files registered in place.

use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use super::*;
use crate::gguf::fixture::{adapter, eye};

fn upload(house: &Arc<Store>, bytes: &[u8], digest: &Digest) -> Result<Uploaded, StoreError> {
    let mut upload = house.begin_upload(digest.clone(), 1 << 20)?;
    bytes.chunks(7).try_for_each(|chunk| upload.write(chunk))?;
    upload.finish()
}

fn shared(house: &House) -> Arc<Store> {
    Arc::new(Store::open(house.directory.path().join("models")).unwrap())
}

fn create(house: &House, name: &str, new: &NewModel) -> Result<(StoredModel, Vec<String>), StoreError> {
    let mut seen = Vec::new();
    let model = house.store.create(&name.parse().unwrap(), new, &mut |event| seen.push(event.status()))?;
    Ok((model, seen))
}

#[test]
fn a_copy_is_the_same_model_by_another_name() {
    let house = House::new();
    let one = house.import(&good(), "one").unwrap();
    house.import(&good().with_text("general.name", "Other"), "two").unwrap();
    house.store.copy("ONE", "two").unwrap();
    let two = house.store.find("two").unwrap();
    assert_eq!((two.manifest_digest, two.digest), (one.manifest_digest, one.digest));
    assert_eq!(house.blobs(), 2, "what `two` stood for is gone");
    house.store.remove("one").unwrap();
    assert_eq!(house.store.find("two").unwrap().total_bytes, one.total_bytes);
    assert!(matches!(house.store.copy("none", "three"), Err(StoreError::NotFound { .. })));
    assert!(matches!(house.store.copy("two", "../three"), Err(StoreError::Name(_))));
    house.store.copy("two", "two").unwrap();
    assert_eq!(house.names(), ["two:latest"]);
}

#[test]
fn the_digest_of_a_model_is_that_of_its_manifest() {
    let house = House::new();
    let model = house.import(&good(), "one").unwrap();
    let path = house.directory.path().join("models/manifests/registry.ollama.ai/library/one/latest");
    let text = fs::read(&path).unwrap();
    assert_eq!(model.manifest_digest, Digest::of(&text));
    assert_eq!(model.modified_at, fs::metadata(&path).unwrap().modified().unwrap());
    let (manifest, same) = house.store.manifest_text(&model.name).unwrap();
    assert_eq!((same, manifest.total_bytes()), (text, model.total_bytes));
    assert!(model.total_bytes > model.size_bytes);
}

#[test]
fn an_upload_is_kept_if_it_is_what_it_says() {
    let house = House::new();
    let store = shared(&house);
    let digest = Digest::of(b"content");
    assert!(!store.has_blob(&digest));
    let error = upload(&store, b"other content", &digest).unwrap_err();
    assert!(matches!(error, StoreError::DigestMismatch { actual, .. } if actual == Digest::of(b"other content")));
    assert_eq!(house.blobs(), 0);
    assert_eq!(upload(&store, b"content", &digest).unwrap(), Uploaded::Created);
    assert_eq!(upload(&store, b"content", &digest).unwrap(), Uploaded::AlreadyThere);
    assert_eq!(store.blob_size(&digest), Some(7));
    let error = upload(&store, &vec![0; (1 << 20) + 1], &digest).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
    drop(store.begin_upload(Digest::of(b"never"), 10).unwrap());
    assert_eq!(house.blobs(), 1);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let house = House::new();
    let store = shared(&house);
    let pieces = |pieces: Vec<Result<&'static str, &'static str>>| {
        futures_util::stream::iter(pieces.into_iter().map(|piece| piece.map(bytes::Bytes::from)))
    };
    let digest = Digest::of(b"content");
    let error = store.upload(digest.clone(), 100, pieces(vec![Ok("con"), Err("gone")])).await.unwrap_err();
    assert!(matches!(error, StoreError::Upload(_)), "{error}");
    assert_eq!(house.blobs(), 0);
    let content = || pieces(vec![Ok("con"), Ok("tent")]);
    assert_eq!(store.upload(digest.clone(), 100, content()).await.unwrap(), Uploaded::Created);
    assert_eq!(store.upload(digest, 100, content()).await.unwrap(), Uploaded::AlreadyThere);
}

#[test]
fn a_model_is_made_of_an_uploaded_file_and_says_all_about_itself() {
    let house = House::new();
    let store = shared(&house);
    let weights = Digest::of(&good().bytes());
    upload(&store, &good().bytes(), &weights).unwrap();
    let new = NewModel {
        files: vec![weights.clone()],
        template: Some("{{ .Prompt }}".to_owned()),
        system: Some("You are terse.".to_owned()),
        licenses: vec!["MIT".to_owned(), "Apache-2.0".to_owned()],
        parameters: json!({ "temperature": 0.5, "stop": ["</s>"] }).as_object().unwrap().clone(),
        messages: vec![StoredMessage { role: "user".to_owned(), content: "Hi".to_owned() }],
        ..NewModel::default()
    };
    let (model, seen) = create(&house, "made:1b", &new).unwrap();
    assert_eq!(seen[..2], ["parsing GGUF".to_owned(), format!("using existing layer {weights}")]);
    assert_eq!(seen[seen.len() - 2..], ["writing manifest", "success"]);
    assert_eq!(model.digest, weights);

    let details = house.store.details("MADE:1b").unwrap();
    assert_eq!(details.template, new.template);
    assert_eq!(details.system, new.system);
    assert_eq!(details.licenses, new.licenses);
    assert_eq!(details.parameters, new.parameters);
    assert_eq!(details.messages, new.messages);
    assert_eq!(details.config["model_family"], "llama");
    assert_eq!(details.config["rootfs"]["diff_ids"].as_array().unwrap().len(), details.manifest.layers.len());
    house.store.remove("made:1b").unwrap();
    assert_eq!(house.blobs(), 0);
}

#[test]
fn a_model_made_from_another_keeps_what_is_not_given_anew() {
    let house = House::new();
    house.import(&good(), "base").unwrap();
    let first = NewModel {
        from: Some("base".parse().unwrap()),
        template: Some("one".to_owned()),
        system: Some("old".to_owned()),
        licenses: vec!["MIT".to_owned()],
        parameters: json!({ "temperature": 1, "top_k": 4 }).as_object().unwrap().clone(),
        ..NewModel::default()
    };
    create(&house, "first", &first).unwrap();
    let second = NewModel {
        from: Some("FIRST".parse().unwrap()),
        system: Some(String::new()),
        licenses: vec!["BSD".to_owned(), "MIT".to_owned()],
        parameters: json!({ "temperature": 0 }).as_object().unwrap().clone(),
        ..NewModel::default()
    };
    create(&house, "second", &second).unwrap();
    let details = house.store.details("second").unwrap();
    assert_eq!(details.template.as_deref(), Some("one"));
    assert_eq!(details.system, None);
    assert_eq!(details.licenses, ["MIT", "BSD"]);
    assert_eq!(serde_json::Value::from(details.parameters), json!({ "temperature": 0, "top_k": 4 }));
    assert_eq!(details.config["model_family"], "llama");
    house.store.remove("first").unwrap();
    assert!(house.store.details("second").is_ok(), "it needs its base's blobs, not its names");
}

#[test]
fn what_cannot_be_made_leaves_nothing() {
    let house = House::new();
    let store = shared(&house);
    let text = Digest::of(b"no model");
    upload(&store, b"no model", &text).unwrap();
    let absent = Digest::of(b"absent");
    let refused =
        |new: NewModel| create(&house, "bad", &NewModel { system: Some("text".to_owned()), ..new }).unwrap_err();
    assert!(matches!(refused(NewModel::default()), StoreError::NoWeights));
    let from = Some("none".parse().unwrap());
    assert!(matches!(refused(NewModel { from, ..NewModel::default() }), StoreError::NotFound { .. }));
    assert!(matches!(refused(NewModel { files: vec![absent], ..NewModel::default() }), StoreError::NoSuchBlob { .. }));
    assert!(matches!(refused(NewModel { files: vec![text], ..NewModel::default() }), StoreError::UnusableBlob { .. }));
    let weights = house.import(&good(), "good").unwrap().digest;
    let template = Some("x".repeat(2 << 20));
    assert!(matches!(
        refused(NewModel { files: vec![weights], template, ..NewModel::default() }),
        StoreError::TooLong { .. }
    ));
    assert_eq!(house.names(), ["good:latest"]);
    assert_eq!(house.blobs(), 3, "the upload, and the good model's two");
}

#[test]
fn a_projector_beside_the_weights_is_known_by_what_it_says_of_itself() {
    let house = House::new();
    let store = shared(&house);
    let projector = eye();
    let files = [good(), projector, adapter()].map(|file| file.bytes());
    for file in &files {
        upload(&store, file, &Digest::of(file)).unwrap();
    }
    let digests: Vec<Digest> = files.iter().map(|file| Digest::of(file)).collect();
    create(&house, "seeing", &NewModel { files: digests.clone(), ..NewModel::default() }).unwrap();
    let manifest = house.store.details("seeing").unwrap().manifest;
    for (role, digest) in ["model", "projector", "adapter"].into_iter().zip(&digests) {
        assert_eq!(&manifest.layer(role).unwrap().digest, digest);
    }
    let seeing = house.store.find("seeing").unwrap().projector.unwrap();
    assert_eq!((&seeing.digest, &*seeing.header.kind), (&digests[1], "mlp"));
    let blind = eye().with_u32("clip.vision.patch_size", 0).bytes();
    upload(&store, &blind, &Digest::of(&blind)).unwrap();
    let new = NewModel { files: vec![digests[0].clone(), Digest::of(&blind)], ..NewModel::default() };
    assert!(matches!(create(&house, "bad", &new), Err(StoreError::UnusableBlob { .. })));
    let vocabulary = good().with_text("general.type", "vocab").bytes();
    upload(&store, &vocabulary, &Digest::of(&vocabulary)).unwrap();
    let new = NewModel { files: vec![digests[0].clone(), Digest::of(&vocabulary)], ..NewModel::default() };
    assert!(matches!(create(&house, "bad", &new), Err(StoreError::UnusableBlob { .. })));
}

#[test]
fn a_model_has_one_adapter_that_can_be_used_or_it_is_no_model() {
    let house = House::new();
    let store = shared(&house);
    let other = adapter().with_f32("adapter.lora.alpha", 8.0);
    let unusable = adapter().with_text("adapter.type", "ia3");
    let [weights, first, second, bad] =
        [good(), adapter(), other, unusable].map(|file| (Digest::of(&file.bytes()), file.bytes()));
    for (digest, bytes) in [&weights, &first, &second, &bad] {
        upload(&store, bytes, digest).unwrap();
    }
    let with = |adapters: Vec<Digest>| NewModel { files: vec![weights.0.clone()], adapters, ..NewModel::default() };
    let plain = create(&house, "plain", &with(Vec::new())).unwrap().0;
    let adapted = create(&house, "adapted", &with(vec![first.0.clone()])).unwrap().0;
    assert_eq!(adapted.adapter.as_ref().unwrap().digest, first.0);
    assert_ne!(plain.content(), adapted.content(), "they answer differently");
    let from =
        NewModel { from: Some("adapted".parse().unwrap()), adapters: vec![second.0.clone()], ..NewModel::default() };
    assert_eq!(
        create(&house, "other", &from).unwrap().0.adapter.unwrap().digest,
        second.0,
        "the new one takes its place"
    );
    let both = with(vec![first.0.clone(), second.0]);
    assert!(matches!(create(&house, "both", &both), Err(StoreError::SeveralAdapters)));
    assert!(matches!(create(&house, "bad", &with(vec![bad.0])), Err(StoreError::UnusableBlob { .. })));
    // What has been damaged since is no model without its adapter.
    fs::write(house.store.blob_path(&first.0), b"GGUF").unwrap();
    let anew = shared(&house);
    assert!(matches!(anew.find("adapted"), Err(StoreError::Gguf { .. })));
    assert!(anew.find("plain").is_ok());
}

#[test]
fn a_file_registered_in_place_takes_no_room() {
    let house = House::new();
    let path = house.file("here.gguf", &good());
    let mut seen = Vec::new();
    let name = "here".parse().unwrap();
    let model = house.store.import_in_place(&path, &name, &mut |progress| seen.push(progress)).unwrap();
    let (file, blob) = (fs::metadata(&path).unwrap(), fs::metadata(&model.path).unwrap());
    let same_file = file.ino() == blob.ino();
    // On a file system that shares blocks it is a file of its own, which is better still.
    assert!(same_file || house.store.import(&path, &"there".parse().unwrap(), &mut |_| {}).is_ok());
    assert_eq!(seen.last().map(|progress| progress.done_bytes), Some(file.len()));
    house.store.remove("here").unwrap();
    assert!(path.is_file());
    let text = house.directory.path().join("text");
    fs::write(&text, "no model").unwrap();
    assert!(matches!(house.store.import_in_place(&text, &name, &mut |_| {}), Err(StoreError::Gguf { .. })));
}

#[test]
fn a_file_on_another_disk_is_copied() {
    let Some(disk) = Disk::mount("size=1m") else { return };
    let house = House::new();
    let path = disk.directory.path().join("away.gguf");
    fs::write(&path, good().bytes()).unwrap();
    let model = house.store.import_in_place(&path, &"away".parse().unwrap(), &mut |_| {}).unwrap();
    assert_eq!(fs::metadata(&model.path).unwrap().nlink(), 1);
}

#[test]
fn a_model_and_its_eye_are_imported_together() {
    let house = House::new();
    let (weights, projector) = (house.file("model.gguf", &good()), house.file("eye.gguf", &eye()));
    let import = |name: &str, weights, projector| {
        house.store.import_with_projector(weights, projector, &name.parse().unwrap(), &mut |_| {})
    };
    let model = import("seeing", &weights, &projector).unwrap();
    let eye = model.projector.unwrap();
    assert_eq!(fs::read(&eye.path).unwrap(), fs::read(&projector).unwrap());
    assert_eq!(eye.size_bytes, fs::metadata(&projector).unwrap().len());
    assert!(matches!(import("turned", &projector, &weights), Err(StoreError::Gguf { .. })));
    assert!(matches!(import("twice", &weights, &weights), Err(StoreError::Gguf { .. })));
    assert_eq!(house.names(), ["seeing:latest"]);
    // Damage to the eye leaves a model that is blind.
    fs::write(&eye.path, b"GGUF").unwrap();
    assert!(shared(&house).find("seeing").unwrap().projector.is_none());
}

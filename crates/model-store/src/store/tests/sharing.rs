//! Several processes on one store: what one needs, no other takes away.

use super::*;

fn age(path: &Path, hours: u32) {
    let when = format!("{hours} hours ago");
    assert!(Command::new("touch").args(["-d", &when]).arg(path).status().unwrap().success());
}

/// A second process, as far as locks can tell.
fn neighbour(house: &House) -> Store {
    Store::open(house.directory.path().join("models")).unwrap()
}

fn put(store: &Store, bytes: &[u8], hours: u32) -> Digest {
    let digest = Digest::of(bytes);
    fs::write(store.blob_path(&digest), bytes).unwrap();
    age(&store.blob_path(&digest), hours);
    digest
}

#[test]
fn blobs_without_a_name_are_collected_once_they_are_old() {
    let house = House::new();
    let model = house.import(&good(), "one").unwrap();
    age(&model.path, 48);
    let old = put(&house.store, b"old", 2);
    let new = put(&house.store, b"new", 0);
    fs::write(house.store.blobs().join("sha256-notes.txt"), "not ours").unwrap();
    assert_eq!(neighbour(&house).collect().unwrap(), 3);
    assert!(!house.store.has_blob(&old) && house.store.has_blob(&new) && house.store.has_blob(&model.digest));
    assert_eq!(house.blobs(), 4, "weights, configuration, what is new, and a file of somebody else");
}

#[test]
fn nothing_is_collected_while_somebody_claims_it() {
    let house = House::new();
    let store = neighbour(&house);
    let name: ModelName = "tiny".parse().unwrap();
    let wanted = put(&house.store, b"wanted", 100);
    let claim = house.store.claim_for_pull(&name, &[&wanted]).unwrap();
    assert_eq!(store.collect().unwrap(), 0);
    // The puller dies: what it has brought waits for the next one, for a week.
    drop(claim);
    assert_eq!(store.collect().unwrap(), 0);
    for entry in fs::read_dir(house.directory.path().join("models/claims")).unwrap() {
        age(&entry.unwrap().path(), 24 * 8);
    }
    assert_eq!(store.collect().unwrap(), 6);
    assert_eq!(fs::read_dir(house.directory.path().join("models/claims")).unwrap().count(), 0);
}

#[test]
fn a_pull_that_ended_well_leaves_no_claims_not_even_of_earlier_tries() {
    let house = House::new();
    let name: ModelName = "tiny".parse().unwrap();
    let blob = put(&house.store, b"blob", 2);
    drop(house.store.claim_for_pull(&name, &[&blob]).unwrap());
    let others = house.store.claim_for_pull(&"other".parse().unwrap(), &[&blob]).unwrap();
    let running = neighbour(&house).claim_for_pull(&name, &[&blob]).unwrap();
    let claims = || fs::read_dir(house.directory.path().join("models/claims")).unwrap().count();
    assert_eq!(claims(), 2, "a new try takes the place of the one before");
    let dying = neighbour(&house).claim_for_pull(&name, &[&blob]).unwrap();
    let claim = house.store.claim_for_pull(&name, &[&blob]).unwrap();
    assert_eq!(claims(), 4);
    drop(dying);
    claim.settle();
    house.store.settle_earlier_pulls(&name).unwrap();
    assert_eq!(claims(), 2);
    for claim in [others, running] {
        assert_eq!(house.store.collect().unwrap(), 0);
        claim.settle();
    }
    assert_eq!(house.store.collect().unwrap(), 4);
}

#[test]
fn a_model_in_use_is_removed_by_name_only() {
    let house = House::new();
    let model = house.import(&good(), "one").unwrap();
    let hold = house.store.hold(&model.name, &[&model.digest]).unwrap();
    neighbour(&house).remove("one").unwrap();
    assert!(house.names().is_empty());
    assert!(house.store.has_blob(&model.digest), "somebody runs it");
    drop(hold);
    age(&model.path, 2);
    house.store.collect().unwrap();
    assert_eq!(house.blobs(), 0);
}

#[test]
fn a_claim_cut_off_in_the_middle_is_no_obstacle() {
    let house = House::new();
    let claims = house.directory.path().join("models/claims");
    fs::create_dir(&claims).unwrap();
    fs::write(claims.join("unfinished-x"), r#"{"resumable":tr"#).unwrap();
    put(&house.store, b"blob", 2);
    assert_eq!(house.store.collect().unwrap(), 4);
    assert_eq!(fs::read_dir(&claims).unwrap().count(), 0);
}

#[test]
fn what_is_half_written_is_no_model() {
    let house = House::new();
    house.import(&good(), "one").unwrap();
    let directory = house.directory.path().join("models/manifests/registry.ollama.ai/library/one");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "manifests are made elsewhere");
}

#[test]
fn many_at_once_leave_the_store_whole() {
    let house = House::new();
    let directory = house.directory.path().join("models");
    let files: Vec<PathBuf> = (0..4)
        .map(|number| house.file(&format!("{number}.gguf"), &good().with_text("general.name", &number.to_string())))
        .collect();
    std::thread::scope(|scope| {
        for (number, file) in files.iter().enumerate() {
            let directory = &directory;
            scope.spawn(move || {
                let store = Store::open(directory).unwrap();
                for round in 0..6 {
                    let name: ModelName = format!("model{}", (number + round) % 3).parse().unwrap();
                    store.import(file, &name, &mut |_| {}).unwrap();
                    store.collect().unwrap();
                    if round % 2 == 0 {
                        // Another may have been faster.
                        let _ = store.remove(&name.to_string());
                    }
                }
            });
        }
    });
    for model in house.store.list().unwrap() {
        assert_eq!(Digest::of(&fs::read(&model.path).unwrap()), model.digest);
    }
    let names = house.names();
    for name in &names {
        house.store.remove(name).unwrap();
    }
    assert_eq!(house.blobs(), 0);
}

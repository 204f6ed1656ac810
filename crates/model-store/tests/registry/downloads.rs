//! Bytes that come in parts, late, twice, not at all, or wrong.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use proptest::test_runner::{Config, TestRunner};
use stoa_model_store::registry::{RegistryError, RegistryOptions};
use stoa_model_store::{Digest, ModelName};

use crate::proxy::{Do, Proxy, Seen};
use crate::support::{Distribution, House, KIB, Model, named, quick, saved};

struct Setup {
    _registry: Distribution,
    proxy: Proxy,
    house: House,
    model: Model,
    name: ModelName,
}

impl Setup {
    async fn new(behave: impl Fn(&Seen) -> Do + Send + Sync + 'static) -> Self {
        Self::with(quick(), behave).await
    }

    /// A model of some parts behind a proxy.
    async fn with(options: RegistryOptions, behave: impl Fn(&Seen) -> Do + Send + Sync + 'static) -> Self {
        let registry = Distribution::start();
        let model = Model::of(1_500 * KIB);
        model.upload(&registry, &registry.name("library/tiny:latest")).await;
        let proxy = Proxy::start(&registry.authority, behave).await;
        let house = House::with([proxy.authority.as_str()], options);
        let name = named(&proxy.authority, "library/tiny:latest");
        Self { _registry: registry, proxy, house, model, name }
    }

    async fn error(&self) -> Arc<RegistryError> {
        self.house.pull(&self.name).await.unwrap_err()
    }

    /// Requests for the weights.
    fn weights(&self) -> Vec<Seen> {
        let digest = self.model.digest(0).to_string();
        self.proxy.blobs().into_iter().filter(|seen| seen.path.ends_with(&digest)).collect()
    }
}

fn is_weights(seen: &Seen) -> bool {
    seen.is_blob() && (seen.range.is_some() || seen.earlier > 0)
}

#[tokio::test]
async fn a_blob_comes_in_parts_that_cover_it_once() {
    let setup = Setup::new(|_| Do::Pass).await;
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
    let mut ranges: Vec<(u64, u64)> = setup.weights().iter().filter_map(|seen| seen.range).collect();
    ranges.sort_unstable();
    assert_eq!(ranges.len(), 6);
    let mut position = 0;
    for (start, end) in ranges {
        assert_eq!(start, position);
        position = end + 1;
    }
    assert_eq!(position, setup.model.layers[0].1.len() as u64);
}

#[tokio::test]
async fn what_is_cut_off_goes_on_where_it_was_cut() {
    let setup =
        Setup::new(|seen| if is_weights(seen) && seen.earlier < 4 { Do::Cut(100 * KIB) } else { Do::Pass }).await;
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
    let starts: HashSet<u64> = setup.weights().iter().filter_map(|seen| Some(seen.range?.0)).collect();
    assert!(starts.iter().any(|start| start % (256 * KIB as u64) != 0), "{starts:?}");
    assert_eq!(starts.len(), setup.weights().len(), "no byte was asked for twice");
}

#[tokio::test]
async fn a_connection_that_stalls_is_given_up_for_another() {
    let options = RegistryOptions { stall: Duration::from_millis(200), tries: 50, ..quick() };
    let behave = |seen: &Seen| if is_weights(seen) && seen.earlier < 3 { Do::Stall(50 * KIB) } else { Do::Pass };
    let setup = Setup::with(options, behave).await;
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_sends_one_stream() {
    let setup = Setup::new(|seen| match seen {
        seen if !is_weights(seen) => Do::Pass,
        // Cut once: it begins again, and what is there stays.
        seen if seen.range.is_none() && seen.earlier == 1 => Do::Cut(700 * KIB),
        _ => Do::IgnoreRange,
    })
    .await;
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
    let ranges: Vec<bool> = setup.weights().iter().map(|seen| seen.range.is_some()).collect();
    assert_eq!(ranges, [true, false, false]);
}

#[tokio::test]
async fn a_server_that_loses_ranges_midway_sends_one_stream() {
    for wrong in [true, false] {
        let setup = Setup::new(move |seen| match seen.range {
            Some(_) if seen.earlier >= 2 && wrong => Do::WrongRange,
            Some(_) if seen.earlier >= 2 => Do::Answer(StatusCode::RANGE_NOT_SATISFIABLE, Vec::new(), Vec::new()),
            _ => Do::Pass,
        })
        .await;
        setup.house.pull(&setup.name).await.unwrap();
        setup.house.assert_has(&setup.model);
        assert_eq!(setup.weights().iter().filter(|seen| seen.range.is_none()).count(), 1);
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_but_not_for_ever() {
    let answer = |status| Do::Answer(status, Vec::new(), Vec::new());
    let setup = Setup::new(move |seen| match seen.earlier {
        0 if seen.is_manifest() => Do::HangUp,
        1 if seen.is_manifest() => answer(StatusCode::SERVICE_UNAVAILABLE),
        0 if seen.is_blob() => answer(StatusCode::SERVICE_UNAVAILABLE),
        1 if seen.is_blob() => answer(StatusCode::TOO_MANY_REQUESTS),
        2 if seen.is_blob() => Do::HangUp,
        _ => Do::Pass,
    })
    .await;
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);

    let setup = Setup::new(move |seen| if seen.is_blob() { answer(StatusCode::BAD_GATEWAY) } else { Do::Pass }).await;
    let error = setup.error().await;
    assert!(matches!(&*error, RegistryError::Answer { status: StatusCode::BAD_GATEWAY, .. }), "{error}");
    assert_eq!(setup.weights().len(), 6);

    let setup = Setup::new(move |seen| if seen.is_blob() { answer(StatusCode::NOT_FOUND) } else { Do::Pass }).await;
    let error = setup.error().await;
    assert!(matches!(&*error, RegistryError::BlobNotFound { .. }), "{error}");
    assert_eq!(setup.weights().len(), 1, "what will not pass is not tried again");

    let setup = Setup::new(move |_| answer(StatusCode::BAD_GATEWAY)).await;
    setup.error().await;
    assert_eq!(setup.proxy.seen().len(), 3);
}

#[tokio::test]
async fn a_pull_that_failed_is_taken_up_where_it_stopped() {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let setup = Setup::new(move |seen| match seen.range {
        Some((start, _)) if start >= 512 * KIB as u64 && switch.load(Ordering::SeqCst) => {
            Do::Answer(StatusCode::BAD_GATEWAY, Vec::new(), Vec::new())
        }
        _ => Do::Pass,
    })
    .await;
    setup.error().await;
    assert!(!setup.house.files("partial").is_empty() && !setup.house.files("claims").is_empty());
    // Nothing of it is taken for rubbish.
    setup.house.store().collect().unwrap();
    let done = saved(&setup.house, &setup.model.digest(0));
    assert!(done.iter().sum::<u64>() > 0);
    let before = setup.weights().len();
    broken.store(false, Ordering::SeqCst);
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
    let asked: HashSet<u64> = setup.weights()[before..].iter().filter_map(|seen| Some(seen.range?.0)).collect();
    let part = 256 * KIB as u64;
    let size = setup.model.layers[0].1.len() as u64;
    let missing = (0..).zip(&done).map(|(number, done)| (number * part + done, ((number + 1) * part).min(size)));
    assert_eq!(asked, missing.filter(|(start, end)| start < end).map(|(start, _)| start).collect());
}

#[tokio::test]
async fn a_lie_about_the_content_is_found_and_nothing_is_kept() {
    for parts in [true, false] {
        let options = if parts { quick() } else { RegistryOptions { part_bytes: 4 << 20..=4 << 20, ..quick() } };
        let spoilt = AtomicBool::new(false);
        let setup = Setup::with(options, move |seen| {
            if seen.is_blob() && !spoilt.swap(true, Ordering::SeqCst) { Do::Spoil } else { Do::Pass }
        })
        .await;
        let error = setup.error().await;
        let expected_digest = setup.model.digest(0);
        assert!(
            matches!(&*error, RegistryError::DigestMismatch { expected, .. } if *expected == expected_digest),
            "{error}"
        );
        assert!(setup.house.files("blobs").is_empty() && setup.house.files("partial").is_empty());
        // The next try is no worse for it.
        setup.house.pull(&setup.name).await.unwrap();
        setup.house.assert_has(&setup.model);
    }
}

#[tokio::test]
async fn a_body_too_short_or_too_long_is_no_blob() {
    let setup = Setup::new(|seen| if seen.is_blob() { Do::Shorten } else { Do::Pass }).await;
    let error = setup.error().await;
    assert!(matches!(&*error, RegistryError::Short { .. }), "{error}");
    let setup = Setup::new(|seen| if seen.is_blob() { Do::Lengthen } else { Do::Pass }).await;
    let error = setup.error().await;
    assert!(matches!(&*error, RegistryError::Long { .. }), "{error}");
    assert!(setup.house.files("blobs").is_empty());
}

#[tokio::test]
async fn what_a_loss_of_power_spoilt_is_brought_anew() {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let setup = Setup::new(move |seen| match seen.range {
        Some((start, _)) if start > 0 && switch.load(Ordering::SeqCst) => {
            Do::Answer(StatusCode::BAD_GATEWAY, Vec::new(), Vec::new())
        }
        _ => Do::Pass,
    })
    .await;
    setup.error().await;
    let data = setup.house.directory.path().join("partial").join(setup.model.digest(0).to_string().replace(':', "-"));
    let mut bytes = fs::read(&data).unwrap();
    bytes[1_000..2_000].fill(0);
    fs::write(&data, bytes).unwrap();
    broken.store(false, Ordering::SeqCst);
    setup.house.pull(&setup.name).await.unwrap();
    setup.house.assert_has(&setup.model);
}

#[test]
fn progress_never_goes_back_whatever_happens() {
    let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
    let mishaps = proptest::collection::vec((0_u8..7, 0_usize..300 * KIB), 0..14);
    runner
        .run(&mishaps, |mishaps| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = RegistryOptions { stall: Duration::from_millis(100), tries: 40, ..quick() };
                let setup = Setup::with(options, move |seen| {
                    if !is_weights(seen) {
                        return Do::Pass;
                    }
                    match mishaps.get(seen.earlier) {
                        Some((0, at)) => Do::Cut(*at),
                        Some((1, at)) => Do::Stall(*at),
                        Some((2, _)) => Do::Answer(StatusCode::BAD_GATEWAY, Vec::new(), Vec::new()),
                        Some((3, _)) => Do::HangUp,
                        Some((4, _)) if seen.range.is_some() => Do::IgnoreRange,
                        Some((5, _)) => Do::Shorten,
                        _ => Do::Pass,
                    }
                })
                .await;
                // `pull` checks each step.
                setup.house.pull(&setup.name).await.unwrap();
                setup.house.assert_has(&setup.model);
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn an_empty_layer_needs_no_parts() {
    let registry = Distribution::start();
    let name = registry.name("library/empty:latest");
    let model = Model::of(10).with("application/vnd.ollama.image.license", "");
    model.upload(&registry, &name).await;
    let house = House::new([registry.authority.as_str()]);
    house.pull(&name).await.unwrap();
    assert_eq!(house.store().blob_size(&Digest::of(b"")), Some(0));
}

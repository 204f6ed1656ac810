//! Pulls that go on by themselves: watched, cancelled, begun again, and kept when they have failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stoa_model::{Clock, SystemClock};
use stoa_model_store::pulls::{PullRefusal, Refresh};
use stoa_model_store::{ModelName, Pull, PullState, Pulls};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::proxy::{Do, Proxy};
use crate::support::{Distribution, House, KIB, Model, eventually, named, quick};

const HALF: u64 = 512 * KIB as u64;

struct Setup {
    _registry: Distribution,
    proxy: Proxy,
    gate: watch::Sender<bool>,
    model: Model,
    house: House,
    pulls: Pulls,
    refreshed: Arc<AtomicUsize>,
}

impl Setup {
    /// The second half of the weights comes once the gate is open.
    async fn new() -> Self {
        let registry = Distribution::start();
        let mut model = Model::of(1_024 * KIB);
        model.layers.insert(0, ("application/vnd.ollama.image.license", b"MIT".to_vec()));
        model.upload(&registry, &registry.name("library/tiny:latest")).await;
        let (gate, closed) = watch::channel(false);
        let proxy = Proxy::start(&registry.authority, move |seen| match seen.range {
            Some((start, _)) if start >= HALF => Do::Hold(1_000, closed.clone()),
            _ => Do::Pass,
        })
        .await;
        let house = House::with([proxy.authority.as_str()], quick());
        let (pulls, refreshed) = pulls(&house);
        Self { _registry: registry, proxy, gate, model, house, pulls, refreshed }
    }

    fn name(&self) -> ModelName {
        named(&self.proxy.authority, "library/tiny:latest")
    }
}

fn pulls(house: &House) -> (Pulls, Arc<AtomicUsize>) {
    let refreshed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refreshed);
    let refresh: Refresh = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    (Pulls::new(house.registries.clone(), clock, TaskTracker::new(), refresh), refreshed)
}

fn only(pulls: &Pulls) -> Pull {
    let [pull] = pulls.list().try_into().expect("one pull");
    pull
}

#[tokio::test]
async fn a_pull_goes_on_unwatched_and_is_kept_until_dismissed() {
    let setup = Setup::new().await;
    let begun = setup.pulls.start(&setup.name()).unwrap();
    assert_eq!(setup.pulls.start(&setup.name()).unwrap().id, begun.id, "one pull for each model");
    eventually("half of it", || only(&setup.pulls).completed_bytes >= HALF).await;
    let half = only(&setup.pulls);
    let layers: usize = setup.model.layers.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(half.total_bytes, (layers + Model::config().len()) as u64, "of all blobs together");
    assert!(half.completed_bytes < half.total_bytes && matches!(half.state, PullState::Running));
    assert_eq!(setup.pulls.dismiss(begun.id), Err(PullRefusal::Running));

    setup.gate.send(true).unwrap();
    eventually("its end", || matches!(only(&setup.pulls).state, PullState::Done)).await;
    let done = only(&setup.pulls);
    assert_eq!((done.completed_bytes, done.step.as_str()), (done.total_bytes, "success"));
    assert!(done.ended_at >= Some(done.started_at));
    setup.house.assert_has(&setup.model);
    assert_eq!(setup.refreshed.load(Ordering::SeqCst), 1);
    setup.pulls.dismiss(begun.id).unwrap();
    assert!(setup.pulls.list().is_empty());
    assert_eq!(setup.pulls.dismiss(begun.id), Err(PullRefusal::NotFound));
}

#[tokio::test]
async fn a_cancelled_pull_keeps_what_it_has_and_the_next_goes_on_from_there() {
    let setup = Setup::new().await;
    let begun = setup.pulls.start(&setup.name()).unwrap();
    eventually("half of it", || only(&setup.pulls).completed_bytes >= HALF).await;
    let cancelled = setup.pulls.cancel(begun.id).unwrap();
    assert!(matches!(cancelled.state, PullState::Cancelled));
    eventually("nobody pulling", || setup.house.registries.running().is_empty()).await;
    assert!(setup.house.files("manifests").is_empty());
    assert!(!setup.house.files("partial").is_empty(), "what came is kept");

    setup.gate.send(true).unwrap();
    let again = setup.pulls.start(&setup.name()).unwrap();
    assert_ne!(again.id, begun.id);
    eventually("its end", || matches!(only(&setup.pulls).state, PullState::Done)).await;
    assert!(matches!(setup.pulls.cancel(again.id).unwrap().state, PullState::Done), "what has ended stays as it is");
    setup.house.assert_has(&setup.model);
}

#[tokio::test]
async fn a_failed_pull_says_why_and_what_may_be_allowed() {
    let house = House::new([]);
    let (pulls, refreshed) = pulls(&house);
    pulls.start(&named("127.0.0.1:9", "library/tiny:latest")).unwrap();
    eventually("its end", || matches!(only(&pulls).state, PullState::Failed(_))).await;
    let PullState::Failed(failure) = only(&pulls).state else { panic!("it has failed") };
    assert_eq!((failure.code, failure.authority.as_deref()), ("egress_refused", Some("127.0.0.1:9")));
    assert!(failure.detail.contains("127.0.0.1:9"), "{}", failure.detail);
    assert_eq!(refreshed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ended_pulls_are_kept_in_bounds_and_too_many_at_once_are_refused() {
    let house = House::new([]);
    let (pulls, _) = pulls(&house);
    for number in 0..40 {
        pulls.start(&named("127.0.0.1:9", &format!("library/tiny:{number}"))).unwrap();
        eventually("its end", || !pulls.list().iter().any(|pull| matches!(pull.state, PullState::Running))).await;
    }
    let kept: Vec<String> = pulls.list().iter().map(|pull| pull.name.tag().to_owned()).collect();
    assert_eq!(kept, (8..40).rev().map(|number| number.to_string()).collect::<Vec<_>>(), "the latest first");

    let setup = Setup::new().await;
    for number in 0..15 {
        setup.pulls.start(&named(&setup.proxy.authority, &format!("library/other:{number}"))).unwrap();
    }
    setup.pulls.start(&setup.name()).unwrap();
    let more = setup.pulls.start(&named(&setup.proxy.authority, "library/one-more:1"));
    assert_eq!(more.unwrap_err(), PullRefusal::TooMany);
}

//! The models of this machine: what manages them, and the list that dispatch sees. It is looked at again every few seconds,
//! so that a model that `stoa model import` brought in appears by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use stoa_dispatch::LocalModels;
use stoa_egress::Egress;
use stoa_model::Clock;
use stoa_model::completion::Upstream;
use stoa_model::provider::{AvailableModel, LOCAL_SLUG, sees};
use stoa_model_store::pulls::Refresh;
use stoa_model_store::{ModelSearch, Pulls, Registries, Store};
use stoa_models::{LocalModel, Runtime};
use stoa_server::LocalModelService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, registry_options};

const LOOK_EVERY: Duration = Duration::from_secs(3);
const COLLECT_FIRST: Duration = Duration::from_mins(1);
const COLLECT_EVERY: Duration = Duration::from_hours(1);

pub(super) struct Listed {
    runtime: Arc<Runtime>,
    seen: ArcSwap<Seen>,
}

/// What the store had at the last look.
#[derive(Default)]
struct Seen {
    chat: Vec<AvailableModel>,
    names: HashSet<String>,
}

impl LocalModels for Listed {
    fn models(&self) -> Vec<AvailableModel> {
        self.seen.load().chat.clone()
    }

    fn has(&self, name: &str) -> bool {
        self.seen.load().names.contains(name)
    }

    fn upstream(&self) -> Arc<dyn Upstream> {
        Arc::clone(&self.runtime) as Arc<dyn Upstream>
    }
}

/// What manages the models.
pub(super) fn service(
    config: &Config,
    egress: &Egress,
    runtime: &Arc<Runtime>,
    listed: &Arc<Listed>,
    clock: &Arc<dyn Clock>,
    tracker: &TaskTracker,
) -> anyhow::Result<LocalModelService> {
    let store = Arc::clone(runtime.store());
    let options = registry_options(&config.model_registries, config.model_registries_file.as_deref())
        .context("STOA_MODEL_REGISTRIES_FILE")?;
    let registries = Registries::new(egress.clone(), store, options, tracker.clone());
    let listed = Arc::clone(listed);
    let refresh: Refresh = Arc::new(move || {
        let listed = Arc::clone(&listed);
        Box::pin(async move { listed.look().await })
    });
    let pulls = Pulls::new(registries.clone(), Arc::clone(clock), tracker.clone(), Arc::clone(&refresh));
    let search = config.model_search_url.as_deref().map(|url| ModelSearch::new(egress.clone(), url)).transpose();
    let search = search.context("STOA_MODEL_SEARCH_URL")?;
    Ok(LocalModelService { runtime: Arc::clone(runtime), registries, pulls, search, refresh })
}

/// Looks once, and then again until `shutdown`.
pub(super) async fn follow(runtime: Arc<Runtime>, tracker: &TaskTracker, shutdown: CancellationToken) -> Arc<Listed> {
    let listed = Arc::new(Listed { runtime, seen: ArcSwap::default() });
    listed.look().await;
    let looking = Arc::clone(&listed);
    tracker.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => looking.look().await,
                () = shutdown.cancelled() => return,
            }
        }
    });
    listed
}

/// Deletes what no model uses any more, a minute after the start and then every hour, until `shutdown`.
pub(super) async fn collect(store: Arc<Store>, shutdown: CancellationToken) {
    let mut pause = COLLECT_FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        pause = COLLECT_EVERY;
        let store = Arc::clone(&store);
        match tokio::task::spawn_blocking(move || store.collect()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(freed_bytes)) => tracing::info!(freed_bytes, "unused files of models were deleted"),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "unused files of models cannot be deleted");
            }
            Err(error) => tracing::error!(%error, "looking for unused files of models failed"),
        }
    }
}

impl Listed {
    /// Reads the store at once.
    pub(super) async fn look(&self) {
        match self.runtime.models().await {
            Ok(models) => {
                let names = models.iter().map(|model| model.name.clone()).collect();
                let chat = models.into_iter().filter(|model| model.can_chat).map(available).collect();
                self.seen.store(Arc::new(Seen { chat, names }));
            }
            Err(error) => tracing::warn!(%error, "local models cannot be listed; the last known ones stay"),
        }
    }
}

fn available(model: LocalModel) -> AvailableModel {
    AvailableModel {
        id: format!("{LOCAL_SLUG}/{}", model.name),
        // What people called it, not what its file says of itself: those names are for archives.
        display_name: model.name.clone(),
        name: model.name,
        provider: "Local".to_owned(),
        context_window: Some(model.context_window),
        sees: sees(&model.abilities, true),
        abilities: model.abilities,
        parameters: None,
        local: true,
        in_browser: false,
    }
}

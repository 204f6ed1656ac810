//! Which models there are and who runs them: an immutable snapshot that calls read without waiting.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use stoa_model::completion::{CompletionError, Upstream};
use stoa_model::provider::{AvailableModel, LOCAL_SLUG, sees, split_model_id};
use stoa_model::{Principal, ProviderId};
use stoa_storage::StoredProvider;

/// Makes the client of a provider from its settings.
pub trait UpstreamFactory: Send + Sync {
    fn upstream(&self, provider: &StoredProvider) -> Arc<dyn Upstream>;
}

/// The models that run on this machine.
pub trait LocalModels: Send + Sync {
    /// Those that people can chat with.
    fn models(&self) -> Vec<AvailableModel>;
    /// Whether there is a model of that name, of whatever kind.
    fn has(&self, name: &str) -> bool;
    fn upstream(&self) -> Arc<dyn Upstream>;
}

/// A server without a local runtime.
pub struct NoLocalModels;

impl LocalModels for NoLocalModels {
    fn models(&self) -> Vec<AvailableModel> {
        Vec::new()
    }

    fn has(&self, _name: &str) -> bool {
        false
    }

    fn upstream(&self) -> Arc<dyn Upstream> {
        Arc::new(Self)
    }
}

impl Upstream for NoLocalModels {
    fn open(
        self: Arc<Self>,
        request: stoa_model::completion::CompletionRequest,
    ) -> stoa_model::completion::OpenFuture<'static> {
        Box::pin(std::future::ready(Err(CompletionError::UnknownModel { model: request.model })))
    }
}

/// Who runs a model, and by which name.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) model: String,
    pub(crate) provider: Option<ProviderId>,
}

pub(crate) struct Catalogue {
    factory: Box<dyn UpstreamFactory>,
    local: Arc<dyn LocalModels>,
    providers: ArcSwap<HashMap<String, Offer>>,
}

struct Offer {
    stored: StoredProvider,
    upstream: Arc<dyn Upstream>,
}

impl Catalogue {
    pub(crate) fn new(factory: Box<dyn UpstreamFactory>, local: Arc<dyn LocalModels>) -> Self {
        Self { factory, local, providers: ArcSwap::default() }
    }

    pub(crate) fn replace(&self, providers: Vec<StoredProvider>) {
        let offers = providers
            .into_iter()
            .filter(|stored| stored.provider.enabled)
            .map(|stored| {
                let upstream = self.factory.upstream(&stored);
                (stored.provider.slug.clone(), Offer { stored, upstream })
            })
            .collect();
        self.providers.store(Arc::new(offers));
    }

    /// What the principal may pick, local models first.
    pub(crate) fn models(&self, principal: &Principal) -> Vec<AvailableModel> {
        let mut models = self.local.models();
        if !principal.may_use_providers() {
            return models;
        }
        let providers = self.providers.load();
        let mut offers: Vec<_> = providers.values().collect();
        offers.sort_by_key(|offer| offer.stored.provider.id);
        for offer in offers {
            let provider = &offer.stored.provider;
            models.extend(provider.models.iter().filter(|model| model.enabled).map(|model| AvailableModel {
                id: format!("{}/{}", provider.slug, model.name),
                display_name: model.display_name.clone().unwrap_or_else(|| model.name.clone()),
                name: model.name.clone(),
                provider: provider.name.clone(),
                context_window: model.context_window,
                sees: sees(&model.abilities, false),
                abilities: model.abilities.clone(),
                local: false,
            }));
        }
        models
    }

    /// The targets to try for a model, in order. A model that is not enabled, or not for the principal, does not exist.
    pub(crate) fn resolve(&self, principal: &Principal, id: &str) -> Result<Vec<Target>, CompletionError> {
        let unknown = || CompletionError::UnknownModel { model: id.to_owned() };
        let (slug, name) = split_model_id(id).ok_or_else(unknown)?;
        if slug == LOCAL_SLUG {
            let target = || Target { upstream: self.local.upstream(), model: name.to_owned(), provider: None };
            return self.local.has(name).then(|| vec![target()]).ok_or_else(unknown);
        }
        if !principal.may_use_providers() {
            return Err(unknown());
        }
        let providers = self.providers.load();
        let offer = providers.get(slug).ok_or_else(unknown)?;
        let provider = &offer.stored.provider;
        if !provider.models.iter().any(|model| model.enabled && model.name == name) {
            return Err(unknown());
        }
        Ok(vec![Target { upstream: Arc::clone(&offer.upstream), model: name.to_owned(), provider: Some(provider.id) }])
    }
}

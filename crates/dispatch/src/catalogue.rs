//! Which models there are and who runs them: an immutable snapshot that calls read without waiting.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use stoa_model::completion::{CompletionError, Upstream};
use stoa_model::own::ParameterSchema;
use stoa_model::provider::{AvailableModel, LOCAL_SLUG, Prices, Provider, ProviderModel, sees, split_model_id};
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
    /// `slug/name`
    pub(crate) id: String,
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) model: String,
    pub(crate) provider: Option<ProviderId>,
    pub(crate) prices: Option<Prices>,
    /// What it has beside the parameters of all.
    pub(crate) parameters: Option<ParameterSchema>,
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
        models.retain(|model| principal.admits_model(&model.id));
        if !principal.may_use_providers() {
            return models;
        }
        let providers = self.providers.load();
        let mut offers: Vec<_> = providers.values().collect();
        offers.sort_by_key(|offer| offer.stored.provider.id);
        for offer in offers {
            let provider = &offer.stored.provider;
            let offered = provider.models.iter().filter(|model| model.enabled).map(|model| offered(provider, model));
            models.extend(offered.filter(|model| principal.admits_model(&model.id)));
        }
        models
    }

    /// One of these.
    pub(crate) fn model(&self, principal: &Principal, id: &str) -> Option<AvailableModel> {
        let (slug, name) = split_model_id(id).filter(|_| principal.admits_model(id))?;
        if slug == LOCAL_SLUG {
            return self.local.models().into_iter().find(|model| model.id == id);
        }
        let providers = self.providers.load();
        let provider = &providers.get(slug).filter(|_| principal.may_use_providers())?.stored.provider;
        let model = provider.models.iter().find(|model| model.enabled && model.name == name)?;
        Some(offered(provider, model))
    }

    /// The targets to try for a model, in order: itself, and the model that stands in for it. A model that is not enabled,
    /// or not for the principal, does not exist.
    pub(crate) fn resolve(&self, principal: &Principal, id: &str) -> Result<Vec<Target>, CompletionError> {
        let (target, stand_in) =
            self.target(principal, id).ok_or_else(|| CompletionError::UnknownModel { model: id.to_owned() })?;
        // Nobody stands in for a stand-in, so that there is no circle.
        let second = stand_in.filter(|second| second != id).and_then(|second| self.target(principal, &second));
        Ok(std::iter::once(target).chain(second.map(|(second, _)| second)).collect())
    }

    fn target(&self, principal: &Principal, id: &str) -> Option<(Target, Option<String>)> {
        let (slug, name) = split_model_id(id).filter(|_| principal.admits_model(id))?;
        let target = |upstream, provider, prices, parameters| Target {
            id: id.to_owned(),
            upstream,
            model: name.to_owned(),
            provider,
            prices,
            parameters,
        };
        if slug == LOCAL_SLUG {
            return self.local.has(name).then(|| (target(self.local.upstream(), None, None, None), None));
        }
        if !principal.may_use_providers() {
            return None;
        }
        let providers = self.providers.load();
        let offer = providers.get(slug)?;
        let provider = &offer.stored.provider;
        let model = provider.models.iter().find(|model| model.enabled && model.name == name)?;
        let target = target(Arc::clone(&offer.upstream), Some(provider.id), model.prices, model.parameters.clone());
        Some((target, model.stand_in.clone()))
    }
}

fn offered(provider: &Provider, model: &ProviderModel) -> AvailableModel {
    AvailableModel {
        id: format!("{}/{}", provider.slug, model.name),
        display_name: model.display_name.clone().unwrap_or_else(|| model.name.clone()),
        name: model.name.clone(),
        provider: provider.name.clone(),
        context_window: model.context_window,
        sees: sees(&model.abilities, false),
        abilities: model.abilities.clone(),
        parameters: model.parameters.clone(),
        local: false,
        in_browser: false,
    }
}

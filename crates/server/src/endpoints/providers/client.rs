//! A client of one provider, for the page that tries it out. Chats go through dispatch.

use std::sync::Arc;

use stoa_model::completion::CompletionError;
use stoa_model::provider::ProviderKind;
use stoa_providers::openai::{ApiKey, BaseUrl, OpenAiProvider, Settings};
use stoa_storage::StoredProvider;

use crate::app::App;

pub(super) fn client(app: &App, stored: &StoredProvider) -> Result<Arc<OpenAiProvider>, CompletionError> {
    let invalid = |detail: String| CompletionError::Invalid { detail };
    let ProviderKind::Openai = stored.provider.kind;
    let base_url = BaseUrl::parse(&stored.provider.base_url).map_err(|error| invalid(error.to_string()))?;
    let api_key = match &stored.api_key {
        Some(key) => ApiKey::parse(key.expose()).map_err(|error| invalid(error.to_string()))?,
        None => None,
    };
    Ok(OpenAiProvider::new(app.egress.clone(), Settings { base_url, api_key, think_tags: true }))
}

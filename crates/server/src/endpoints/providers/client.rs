//! A client of one provider, for the page that tries it out. Chats go through dispatch.

use std::sync::Arc;

use stoa_model::completion::CompletionError;
use stoa_providers::{Provider, Settings};
use stoa_storage::{Secret, StoredProvider};

use crate::app::App;

pub(in crate::endpoints) fn client(app: &App, stored: &StoredProvider) -> Result<Arc<Provider>, CompletionError> {
    let provider = &stored.provider;
    let api_key = stored.api_key.as_ref().map(Secret::expose).unwrap_or_default();
    let settings = Settings::parse(provider.kind, &provider.base_url, api_key)
        .map_err(|error| CompletionError::Invalid { detail: error.to_string() })?;
    Ok(Provider::new(app.egress.clone(), settings))
}

//! The models that a provider says it has, whichever shape the list comes in.

use std::collections::HashSet;

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::provider::failure;

/// More models than this are not taken; the largest marketplaces have about a thousand.
const MAX_MODELS: usize = 10_000;
const MAX_NAME_BYTES: usize = 256;

/// Each once, by name.
pub(crate) fn sorted(mut models: Vec<ProviderModel>) -> Vec<ProviderModel> {
    let mut seen = HashSet::new();
    models.retain(|model| seen.insert(model.name.clone()));
    models.truncate(MAX_MODELS);
    models.sort_by(|one, other| one.name.cmp(&other.name));
    models
}

pub(crate) fn parse(body: &[u8]) -> Result<Value, CompletionError> {
    serde_json::from_slice(body).map_err(|error| CompletionError::Protocol {
        detail: format!("the model list is not JSON ({error}): {}", failure::message_of(body).unwrap_or_default()),
    })
}

pub(crate) fn no_list(body: &[u8]) -> CompletionError {
    let detail = format!("it is no list of models: {}", failure::message_of(body).unwrap_or_default());
    CompletionError::Protocol { detail }
}

/// A model of that name; `None` for a name that cannot be one.
pub(crate) fn model(
    name: &str,
    display_name: Option<&str>,
    context_window: Option<u64>,
    abilities: Vec<Ability>,
) -> Option<ProviderModel> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return None;
    }
    let display_name = display_name.map(str::trim).filter(|shown| {
        !shown.is_empty() && *shown != name && shown.len() <= MAX_NAME_BYTES && !shown.chars().any(char::is_control)
    });
    Some(ProviderModel {
        display_name: display_name.map(str::to_owned),
        context_window: context_window.and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0),
        abilities,
        ..ProviderModel::named(name)
    })
}

//! Providers that one person owns: that person's own browser calls them, and the server never does.

use serde::Serialize;

use crate::provider::{AvailableModel, ProviderModel, sees, split_model_id};
use crate::{PersonalProviderId, Timestamp};

/// Begins the ids of personal models. No slug of a shared provider holds it, so that nobody can put one before another.
const MARK: char = '~';

/// A provider as its owner sees it. Speaks OpenAI's chat completions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PersonalProvider {
    pub id: PersonalProviderId,
    pub name: String,
    /// The first part of its models' ids, behind a `~`.
    pub slug: String,
    pub base_url: String,
    pub has_api_key: bool,
    pub models: Vec<ProviderModel>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl PersonalProvider {
    /// The models that its owner may pick.
    pub fn offered(&self) -> impl Iterator<Item = AvailableModel> {
        self.models.iter().filter(|model| model.enabled).map(|model| AvailableModel {
            id: format!("{MARK}{}/{}", self.slug, model.name),
            name: model.name.clone(),
            display_name: model.display_name.clone().unwrap_or_else(|| model.name.clone()),
            provider: self.name.clone(),
            context_window: model.context_window,
            abilities: model.abilities.clone(),
            sees: sees(&model.abilities, false),
            parameters: model.parameters.clone(),
            local: false,
            in_browser: true,
        })
    }

    /// The model of that name, if it is switched on.
    pub fn model(&self, name: &str) -> Option<&ProviderModel> {
        self.models.iter().find(|model| model.enabled && model.name == name)
    }
}

/// The slug and the model's name, when the id is of a personal model: `~slug/name`.
pub fn split_personal_id(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix(MARK).and_then(split_model_id)
}

pub fn is_personal(id: &str) -> bool {
    split_personal_id(id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_marked_id_is_of_a_personal_model() {
        assert_eq!(split_personal_id("~mac/llama3:8b"), Some(("mac", "llama3:8b")));
        assert_eq!(split_personal_id("~mac/org/name"), Some(("mac", "org/name")));
        for other in ["mac/llama", "~/llama", "~mac/", "~mac", "", "~"] {
            assert!(!is_personal(other), "{other}");
        }
    }
}

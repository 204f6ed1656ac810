//! Providers of models and the models they offer.

use serde::{Deserialize, Serialize};

use crate::{ProviderId, Timestamp};

/// The protocol that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI chat completions, spoken by most services and by custom agents.
    Openai,
    /// OpenAI's newer Responses.
    Responses,
    /// OpenAI's models on Azure.
    Azure,
    /// Anthropic's Messages.
    Anthropic,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Google's Gemini.
    Gemini,
    /// Ollama's own protocol.
    Ollama,
}

impl ProviderKind {
    pub const ALL: [Self; 7] =
        [Self::Openai, Self::Responses, Self::Azure, Self::Anthropic, Self::Bedrock, Self::Gemini, Self::Ollama];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Responses => "responses",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The slug of the models that run on this machine; no provider may take it.
pub const LOCAL_SLUG: &str = "local";

/// A provider as admins see it. The key is never shown again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Provider {
    pub id: ProviderId,
    pub name: String,
    pub slug: String,
    pub kind: ProviderKind,
    pub base_url: String,
    pub has_api_key: bool,
    pub enabled: bool,
    pub models: Vec<ProviderModel>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a model can do beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    Reasoning,
    Tools,
    Vision,
}

/// A model that a provider offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderModel {
    /// The name the provider knows it by.
    pub name: String,
    /// The name people see; the `name` when absent.
    #[serde(default)]
    #[schema(required)]
    pub display_name: Option<String>,
    /// In tokens, prompt and answer together.
    #[serde(default)]
    #[schema(required)]
    pub context_window: Option<u32>,
    #[serde(default)]
    pub abilities: Vec<Ability>,
    #[serde(default = "enabled")]
    pub enabled: bool,
}

const fn enabled() -> bool {
    true
}

/// A model that a person may pick, wherever it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AvailableModel {
    /// `slug/name`.
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub provider: String,
    #[schema(required)]
    pub context_window: Option<u32>,
    pub abilities: Vec<Ability>,
    /// Whether it takes pictures; `null` where nobody has said what it can.
    #[schema(required)]
    pub sees: Option<bool>,
    /// Runs on this very machine.
    pub local: bool,
}

/// Whether a model takes pictures. Of one of this machine its files tell. A provider that lists models often tells no
/// ability of any; of those it is not known, and whoever asks finds out.
pub fn sees(abilities: &[Ability], local: bool) -> Option<bool> {
    if abilities.contains(&Ability::Vision) {
        return Some(true);
    }
    (local || !abilities.is_empty()).then_some(false)
}

/// Splits `slug/name` at the first slash; names may hold slashes themselves.
pub fn split_model_id(id: &str) -> Option<(&str, &str)> {
    id.split_once('/').filter(|(slug, name)| !slug.is_empty() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_said_of_a_model_is_not_known() {
        assert_eq!(sees(&[], false), None);
        assert_eq!(sees(&[], true), Some(false));
        assert_eq!(sees(&[Ability::Tools], false), Some(false));
        assert_eq!(sees(&[Ability::Tools, Ability::Vision], false), Some(true));
    }

    #[test]
    fn a_model_id_is_split_at_the_first_slash_only() {
        assert_eq!(split_model_id("router/meta/llama-3"), Some(("router", "meta/llama-3")));
        assert_eq!(split_model_id("gpt"), None);
        assert_eq!(split_model_id("/gpt"), None);
    }
}

//! Providers of models and the models they offer.

use serde::{Deserialize, Serialize};

use crate::completion::Usage;
use crate::own::ParameterSchema;
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
    /// Nothing is said of the cost of its answers when absent.
    #[serde(default)]
    #[schema(required)]
    pub prices: Option<Prices>,
    /// The id (`slug/name`) of another model that answers when this one's provider cannot, as long as nothing was said.
    #[serde(default)]
    #[schema(required)]
    pub stand_in: Option<String>,
    /// Parameters that this model has beside those of all, as a JSON Schema.
    #[serde(default)]
    #[schema(required)]
    pub parameters: Option<ParameterSchema>,
    #[serde(default = "enabled")]
    pub enabled: bool,
}

const fn enabled() -> bool {
    true
}

impl ProviderModel {
    /// One that is switched on and of which nothing but the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            display_name: None,
            context_window: None,
            abilities: Vec::new(),
            prices: None,
            stand_in: None,
            parameters: None,
            enabled: true,
        }
    }
}

/// What a provider asks for its tokens, in millionths of a US dollar for a million of them: 2,500,000 is 2.50 $.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Of the prompt.
    #[schema(maximum = 100_000_000_000_u64)]
    pub input: u64,
    /// Of the part of the prompt that the provider had kept; as the rest of it when absent.
    #[serde(default)]
    #[schema(required, maximum = 100_000_000_000_u64)]
    pub cached_input: Option<u64>,
    /// Of the answer, its reasoning included.
    #[schema(maximum = 100_000_000_000_u64)]
    pub output: u64,
}

impl Prices {
    /// 100,000 $ for a million tokens.
    pub const HIGHEST: u64 = 100_000_000_000;

    pub fn in_range(&self) -> bool {
        [Some(self.input), self.cached_input, Some(self.output)]
            .into_iter()
            .flatten()
            .all(|price| price <= Self::HIGHEST)
    }

    /// What a call costs, in billionths of a US dollar.
    pub fn cost(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let trillionths = part(usage.prompt_tokens - cached, self.input)
            + part(cached, self.cached_input.unwrap_or(self.input))
            + part(usage.completion_tokens, self.output);
        u64::try_from(trillionths.div_ceil(1_000)).unwrap_or(u64::MAX)
    }
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
    /// Parameters that it has beside those of all models.
    #[schema(required)]
    pub parameters: Option<ParameterSchema>,
    /// Runs on this very machine.
    pub local: bool,
    /// The caller's own: their browser calls it, and no program can.
    pub in_browser: bool,
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
    fn a_call_costs_what_its_tokens_cost() {
        let prices = Prices { input: 2_500_000, cached_input: Some(1_250_000), output: 10_000_000 };
        let usage = Usage {
            prompt_tokens: 1_000,
            cached_tokens: 400,
            completion_tokens: 100,
            reasoning_tokens: 60,
            cost: None,
        };
        // 600 at 2.50 $, 400 at 1.25 $, and 100 at 10 $ a million.
        assert_eq!(prices.cost(&usage), 1_500_000 + 500_000 + 1_000_000);
        assert_eq!(Prices { cached_input: None, ..prices }.cost(&usage), 2_500_000 + 1_000_000);
        let lies = Usage { prompt_tokens: 1, cached_tokens: u64::MAX, completion_tokens: u64::MAX, ..usage };
        assert_eq!(Prices { output: Prices::HIGHEST, ..prices }.cost(&lies), u64::MAX, "nothing wraps");
        let tiny = Usage { prompt_tokens: 1, ..Usage::default() };
        assert_eq!(Prices { input: 1, ..prices }.cost(&tiny), 1, "what costs something is never free");
    }

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

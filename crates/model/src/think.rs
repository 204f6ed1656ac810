//! Whether a model is to think before it answers, and how hard.

use serde::{Deserialize, Serialize};

use crate::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Think {
    Off,
    On,
    Low,
    Medium,
    High,
    Max,
    /// So many tokens, for protocols that bound it so; elsewhere the level that they come nearest to.
    Budget(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`think` must be true, false, \"low\", \"medium\", \"high\" or \"max\"")]
pub struct ThinkError;

impl Think {
    /// Reads Ollama's `think`. `None` for `null`, which leaves it to the model.
    pub fn parse(value: &Json) -> Result<Option<Self>, ThinkError> {
        Ok(Some(match value {
            Json::Null => return Ok(None),
            Json::Bool(true) => Self::On,
            Json::Bool(false) => Self::Off,
            Json::Text(text) => match text.as_str() {
                "low" => Self::Low,
                "medium" => Self::Medium,
                "high" => Self::High,
                "max" => Self::Max,
                _ => return Err(ThinkError),
            },
            _ => return Err(ThinkError),
        }))
    }

    /// Reads OpenAI's `reasoning_effort`.
    pub fn of_effort(effort: &str) -> Option<Self> {
        Some(match effort {
            "none" => Self::Off,
            "minimal" | "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Max,
            _ => return None,
        })
    }

    /// Reads Anthropic's `budget_tokens`: the hardest that fits into it.
    pub const fn of_budget(tokens: u32) -> Self {
        match tokens {
            0..8_192 => Self::Low,
            8_192..24_576 => Self::Medium,
            24_576..32_768 => Self::High,
            _ => Self::Max,
        }
    }

    /// Tokens of thought, for protocols that bound it so; 0 when there is to be none.
    pub const fn budget(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Low => 2_048,
            Self::On | Self::Medium => 8_192,
            Self::High => 24_576,
            Self::Max => 32_768,
            Self::Budget(tokens) => tokens,
        }
    }

    /// OpenAI's name for how hard, when that was said.
    pub const fn effort(self) -> Option<&'static str> {
        match self {
            Self::Off => Some("none"),
            Self::Max => Some("xhigh"),
            Self::Budget(tokens) => Self::of_budget(tokens).effort(),
            other => other.level(),
        }
    }

    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// How hard, when that was said.
    pub const fn level(self) -> Option<&'static str> {
        match self {
            Self::Off | Self::On => None,
            Self::Low => Some("low"),
            Self::Medium => Some("medium"),
            Self::High => Some("high"),
            Self::Max => Some("max"),
            Self::Budget(tokens) => Self::of_budget(tokens).level(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_means_what_it_was_made_from() {
        for think in [Think::Low, Think::Medium, Think::High, Think::Max] {
            assert_eq!(Think::of_budget(think.budget()), think);
        }
        assert_eq!((Think::of_budget(1_024), Think::of_budget(u32::MAX)), (Think::Low, Think::Max));
        let exact = Think::Budget(9_000);
        assert_eq!((exact.budget(), exact.level(), exact.effort()), (9_000, Some("medium"), Some("medium")));
        assert_eq!((Think::Off.budget(), Think::of_budget(Think::On.budget())), (0, Think::Medium));
    }

    #[test]
    fn every_form_of_ollama_is_understood() {
        let parse = |text: &str| Think::parse(&Json::parse(text).unwrap());
        for (text, expected) in
            [("null", None), ("true", Some(Think::On)), ("false", Some(Think::Off)), ("\"max\"", Some(Think::Max))]
        {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["\"\"", "\"true\"", "\"extreme\"", "1", "[]"] {
            assert_eq!(parse(text), Err(ThinkError), "{text}");
        }
        assert!(Think::Low.is_on() && !Think::Off.is_on());
    }
}

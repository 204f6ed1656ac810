//! Whether a model is to think before it answers, and how hard.

use serde::{Deserialize, Serialize};

use crate::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Think {
    Off,
    On,
    Low,
    Medium,
    High,
    Max,
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

    /// OpenAI's name for how hard, when that was said.
    pub const fn effort(self) -> Option<&'static str> {
        match self {
            Self::Off => Some("none"),
            Self::Max => Some("xhigh"),
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

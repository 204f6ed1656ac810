//! How long a model stays loaded after its last request: `keep_alive`.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::duration::{DurationError, GoDuration};
use stoa_model::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Until it is unloaded by hand.
    Forever,
    /// For so long; zero unloads it at once.
    For(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepAliveError {
    #[error("`keep_alive` must be a number of seconds or a duration such as \"10m\", not {found}")]
    WrongType { found: &'static str },
    #[error("`keep_alive` is not valid: {0}")]
    Duration(DurationError),
}

impl KeepAlive {
    /// Unload the model at once.
    pub const UNLOAD: Self = Self::For(Duration::ZERO);

    /// A number means seconds, a text a duration of Go, and a negative one of either means forever. `None` for `null`.
    pub fn parse(value: &Json) -> Result<Option<Self>, KeepAliveError> {
        match value {
            Json::Null => Ok(None),
            Json::Number(number) => Ok(Some(Self::of_seconds(number.as_f64().unwrap_or(f64::INFINITY)))),
            Json::Text(text) => Self::parse_text(text).map(Some),
            other => Err(KeepAliveError::WrongType { found: other.kind() }),
        }
    }

    /// As in a setting of the environment, where a number without a unit means seconds, too.
    pub fn parse_text(text: &str) -> Result<Self, KeepAliveError> {
        let text = text.trim();
        match GoDuration::parse(text) {
            Ok(duration) => Ok(duration.to_std().map_or(Self::Forever, Self::For)),
            Err(DurationError::NoUnit { .. }) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
                Ok(Self::of_seconds(text.parse().unwrap_or(f64::INFINITY)))
            }
            Err(error) => Err(KeepAliveError::Duration(error)),
        }
    }

    /// More seconds than a duration holds are as good as forever.
    fn of_seconds(seconds: f64) -> Self {
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => i64::try_from(duration.as_nanos()).map_or(Self::Forever, |_| Self::For(duration)),
            Err(_) => Self::Forever,
        }
    }
}

/// `-1`, or a duration as text.
impl Serialize for KeepAlive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Forever => serializer.serialize_i64(-1),
            Self::For(duration) => {
                let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
                serializer.collect_str(&GoDuration { nanoseconds })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<KeepAlive>, KeepAliveError> {
        KeepAlive::parse(&Json::parse(text).unwrap())
    }

    #[test]
    fn every_form_of_ollama_is_understood() {
        let seconds = |seconds| Some(KeepAlive::For(Duration::from_secs(seconds)));
        for (text, expected) in [
            ("null", None),
            ("300", seconds(300)),
            ("0", seconds(0)),
            ("\"0\"", seconds(0)),
            ("\"10m\"", seconds(600)),
            ("\"1h30m\"", seconds(5_400)),
            ("\"300\"", seconds(300)),
            ("-1", Some(KeepAlive::Forever)),
            ("\"-1m\"", Some(KeepAlive::Forever)),
            ("\"-1\"", Some(KeepAlive::Forever)),
            ("1e300", Some(KeepAlive::Forever)),
            ("0.5", Some(KeepAlive::For(Duration::from_millis(500)))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(parse("0").unwrap(), Some(KeepAlive::UNLOAD));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["true", "[]", "{}"] {
            assert!(matches!(parse(text), Err(KeepAliveError::WrongType { .. })), "{text}");
        }
        assert_eq!(
            parse("\"soon\"").unwrap_err().to_string(),
            "`keep_alive` is not valid: \"soon\" is no duration; write for example \"10m\" or \"1h30m\""
        );
    }

    #[test]
    fn it_is_written_as_ollama_writes_it() {
        let text = |keep_alive: KeepAlive| serde_json::to_string(&keep_alive).unwrap();
        assert_eq!(text(KeepAlive::Forever), "-1");
        assert_eq!(text(KeepAlive::For(Duration::from_mins(5))), "\"5m0s\"");
    }
}

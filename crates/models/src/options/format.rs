//! What form an answer must have: `format`.

use stoa_model::json::Json;

/// How deep a schema may nest.
pub const MAX_SCHEMA_DEPTH: usize = 32;

/// Bytes of a schema without white space.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Any JSON.
    Json,
    /// JSON that a JSON Schema describes; its keys stay in their order.
    Schema(Json),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("`format` must be \"json\" or a JSON Schema, not {found}")]
    WrongType { found: &'static str },
    #[error("`format` must be \"json\" or a JSON Schema")]
    Unknown,
    #[error("the schema in `format` nests {depth} levels deep, more than {MAX_SCHEMA_DEPTH}")]
    TooDeep { depth: usize },
    #[error("the schema in `format` has {bytes} bytes, more than {MAX_SCHEMA_BYTES}")]
    TooLong { bytes: usize },
}

impl Format {
    /// `None` for `null` and for an empty text, which ask for nothing.
    pub fn parse(value: &Json) -> Result<Option<Self>, FormatError> {
        match value {
            Json::Null => Ok(None),
            Json::Text(text) if text.is_empty() => Ok(None),
            Json::Text(text) if text == "json" => Ok(Some(Self::Json)),
            Json::Text(_) => Err(FormatError::Unknown),
            Json::Object(_) => {
                let depth = value.depth();
                if depth > MAX_SCHEMA_DEPTH {
                    return Err(FormatError::TooDeep { depth });
                }
                let bytes = value.to_string().len();
                if bytes > MAX_SCHEMA_BYTES {
                    return Err(FormatError::TooLong { bytes });
                }
                Ok(Some(Self::Schema(value.clone())))
            }
            other => Err(FormatError::WrongType { found: other.kind() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Format>, FormatError> {
        Format::parse(&Json::parse(text).unwrap())
    }

    #[test]
    fn every_form_of_ollama_is_understood() {
        assert_eq!(parse("null"), Ok(None));
        assert_eq!(parse("\"\""), Ok(None));
        assert_eq!(parse("\"json\""), Ok(Some(Format::Json)));
        let schema = r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}"#;
        assert_eq!(parse(schema), Ok(Some(Format::Schema(Json::parse(schema).unwrap()))));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse("\"yaml\""), Err(FormatError::Unknown));
        for text in ["true", "1", "[]"] {
            assert!(matches!(parse(text), Err(FormatError::WrongType { .. })), "{text}");
        }
    }

    #[test]
    fn schemas_have_limits() {
        let nested = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(parse(&nested(MAX_SCHEMA_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_SCHEMA_DEPTH + 1)), Err(FormatError::TooDeep { depth: MAX_SCHEMA_DEPTH + 1 }));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_SCHEMA_BYTES));
        assert!(matches!(parse(&long), Err(FormatError::TooLong { .. })));
    }
}

//! What form an answer must have.

use crate::json::Json;

/// How deep a schema may nest.
pub const MAX_SCHEMA_DEPTH: usize = 32;

/// Bytes of a schema without white space.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any JSON object.
    Json,
    /// JSON that a JSON Schema describes; its keys stay in their order. `strict` is what OpenAI's protocol calls so: only
    /// then do its servers promise that the schema is kept to. Local models always keep to it.
    Schema { schema: Json, strict: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("`format` must be \"json\" or a JSON Schema, not {found}")]
    WrongType { found: &'static str },
    #[error("`format` must be \"json\" or a JSON Schema")]
    Unknown,
    #[error("the schema nests {depth} levels deep, more than {MAX_SCHEMA_DEPTH}")]
    TooDeep { depth: usize },
    #[error("the schema has {bytes} bytes, more than {MAX_SCHEMA_BYTES}")]
    TooLong { bytes: usize },
}

impl Format {
    /// What describes an answer of this form.
    pub fn schema(&self) -> Json {
        match self {
            Self::Json => Json::Object([("type".to_owned(), Json::Text("object".to_owned()))].into_iter().collect()),
            Self::Schema { schema, .. } => schema.clone(),
        }
    }

    /// A schema within its limits.
    pub fn of_schema(schema: Json, strict: bool) -> Result<Self, FormatError> {
        let depth = schema.depth();
        if depth > MAX_SCHEMA_DEPTH {
            return Err(FormatError::TooDeep { depth });
        }
        let bytes = schema.to_string().len();
        if bytes > MAX_SCHEMA_BYTES {
            return Err(FormatError::TooLong { bytes });
        }
        Ok(Self::Schema { schema, strict })
    }

    /// Reads Ollama's `format`. `None` for `null` and for an empty text, which ask for nothing.
    pub fn parse(value: &Json) -> Result<Option<Self>, FormatError> {
        match value {
            Json::Null => Ok(None),
            Json::Text(text) if text.is_empty() => Ok(None),
            Json::Text(text) if text == "json" => Ok(Some(Self::Json)),
            Json::Text(_) => Err(FormatError::Unknown),
            Json::Object(_) => Self::of_schema(value.clone(), false).map(Some),
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
        assert_eq!(parse(schema), Ok(Some(Format::Schema { schema: Json::parse(schema).unwrap(), strict: false })));
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

//! `POST /v1/embeddings` as typed data.

use serde::Deserialize;

use super::error::ApiError;
use super::request::{Fields, fields, model, read, shown, unsupported};

/// OpenAI's limit, too.
const MAX_INPUTS: usize = 2_048;

/// What a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    /// `slug/name`.
    pub model: String,
    /// None is empty.
    pub input: Vec<String>,
    pub dimensions: Option<u32>,
    /// The vectors go out as base64 and not as numbers.
    pub base64: bool,
}

impl EmbeddingsRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Fields(fields) = fields(body)?;
        let (mut name, mut input, mut dimensions, mut base64) = (None, None, None, false);
        for (field, value) in &fields {
            let value = value.get();
            match field.as_str() {
                _ if value == "null" => {}
                "model" => name = Some(model(value)?),
                "input" => input = Some(texts(value)?),
                "dimensions" => dimensions = Some(read(field, value, "a whole number above 0")?),
                "encoding_format" => base64 = is_base64(value)?,
                "user" => {}
                _ => return Err(unsupported(field)),
            }
        }
        let missing = |field: &str| {
            ApiError::invalid("missing_required_parameter", field, format!("You must provide `{field}`."))
        };
        Ok(Self {
            model: name.ok_or_else(|| missing("model"))?,
            input: input.ok_or_else(|| missing("input"))?,
            dimensions,
            base64,
        })
    }
}

fn texts(value: &str) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Input {
        One(String),
        Many(Vec<String>),
    }
    // Numbers of tokens mean something to one vocabulary only.
    let texts = match read("input", value, "a text or a list of texts")? {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    let invalid = |message: String| Err(ApiError::invalid("invalid_value", "input", message));
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return invalid("`input` must hold at least one text, and none that is empty.".to_owned());
    }
    if texts.len() > MAX_INPUTS {
        return invalid(format!("`input` holds {} texts; {MAX_INPUTS} are the most.", texts.len()));
    }
    Ok(texts)
}

fn is_base64(value: &str) -> Result<bool, ApiError> {
    match read::<String>("encoding_format", value, "`float` or `base64`")?.as_str() {
        "float" => Ok(false),
        "base64" => Ok(true),
        _ => {
            let message = format!("`encoding_format` must be `float` or `base64`, but is {}.", shown(value));
            Err(ApiError::invalid("invalid_value", "encoding_format", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_and_many_are_understood() {
        let parse = |body: &str| EmbeddingsRequest::parse(body.as_bytes()).unwrap();
        let one = parse(r#"{"model":"local/m","input":"a","user":"u","encoding_format":"base64"}"#);
        assert_eq!((one.input, one.base64, one.dimensions), (vec!["a".to_owned()], true, None));
        let many = parse(r#"{"model":"local/m","input":["a","b"],"dimensions":8,"encoding_format":"float"}"#);
        assert_eq!((many.input.len(), many.base64, many.dimensions), (2, false, Some(8)));
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        let many = format!(r#"{{"model":"m","input":[{}"a"]}}"#, r#""a","#.repeat(MAX_INPUTS));
        for (body, param) in [
            ("{}", "model"),
            (r#"{"model":"m"}"#, "input"),
            (r#"{"model":"m","input":[]}"#, "input"),
            (r#"{"model":"m","input":[""]}"#, "input"),
            (r#"{"model":"m","input":[1,2]}"#, "input"),
            (many.as_str(), "input"),
            (r#"{"model":"m","input":"a","encoding_format":"hex"}"#, "encoding_format"),
            (r#"{"model":"m","input":"a","dimensions":-1}"#, "dimensions"),
            (r#"{"model":"m","input":"a","task":"x"}"#, "task"),
            (r#"{"model":"m","input":"a","input":"b"}"#, "input"),
        ] {
            let error = EmbeddingsRequest::parse(body.as_bytes()).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{body:.80}");
        }
    }
}

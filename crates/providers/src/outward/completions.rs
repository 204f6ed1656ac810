//! `POST /v1/completions`, OpenAI's older request, as typed data: a text, and what comes behind it.

use serde::Deserialize;
use stoa_model::completion::Parameters;

use super::error::ApiError;
use super::request::{Fields, fields, is_default, model, read, stop, stream_options, unsupported};

/// What a program asks for. Sampling options are in range.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRequest {
    /// `slug/name`.
    pub model: String,
    pub prompt: String,
    /// What stands behind the gap that is to be filled.
    pub suffix: Option<String>,
    pub parameters: Parameters,
    pub stop: Vec<String>,
    pub seed: Option<u32>,
    pub stream: bool,
    pub include_usage: bool,
}

impl TextRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Fields(fields) = fields(body)?;
        let (mut name, mut asked_prompt, mut include_usage) = (None, None, None);
        let mut asked = Self {
            model: String::new(),
            prompt: String::new(),
            suffix: None,
            parameters: Parameters::default(),
            stop: Vec::new(),
            seed: None,
            stream: false,
            include_usage: false,
        };
        let parameters = &mut asked.parameters;
        for (field, value) in &fields {
            let value = value.get();
            match field.as_str() {
                _ if value == "null" => {}
                "model" => name = Some(model(value)?),
                "prompt" => asked_prompt = Some(prompt(value)?),
                "suffix" => asked.suffix = Some(read(field, value, "a text")?).filter(|text: &String| !text.is_empty()),
                "temperature" => parameters.temperature = Some(read(field, value, "a number")?),
                "top_p" => parameters.top_p = Some(read(field, value, "a number")?),
                "presence_penalty" => parameters.presence_penalty = Some(read(field, value, "a number")?),
                "frequency_penalty" => parameters.frequency_penalty = Some(read(field, value, "a number")?),
                "max_tokens" => parameters.max_tokens = Some(read(field, value, "a whole number above 0")?),
                "stop" => asked.stop = stop(value)?,
                "seed" => asked.seed = Some(read(field, value, "a whole number from 0 to 4294967295")?),
                "stream" => asked.stream = read(field, value, "true or false")?,
                "stream_options" => include_usage = Some(stream_options(value)?),
                "user" => {}
                _ if is_default(field, value) => {}
                _ => return Err(unsupported(field)),
            }
        }
        asked.parameters.check().map_err(|error| ApiError::out_of_range(&error))?;
        if include_usage.is_some() && !asked.stream {
            let message = "`stream_options` is only allowed when `stream` is true.";
            return Err(ApiError::invalid("invalid_value", "stream_options", message));
        }
        let missing = |field: &str| {
            ApiError::invalid("missing_required_parameter", field, format!("You must provide `{field}`."))
        };
        asked.model = name.ok_or_else(|| missing("model"))?;
        asked.prompt = asked_prompt.ok_or_else(|| missing("prompt"))?;
        asked.include_usage = include_usage.unwrap_or(false);
        Ok(asked)
    }
}

/// A text, or a list of one.
fn prompt(value: &str) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Prompt {
        Text(String),
        Texts([String; 1]),
    }
    let prompt = match read("prompt", value, "one text")? {
        Prompt::Text(text) | Prompt::Texts([text]) => text,
    };
    if prompt.is_empty() {
        return Err(ApiError::invalid("invalid_value", "prompt", "`prompt` must not be empty."));
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_all_that_belongs_to_it_is_understood() {
        let body = r#"{"model":"local/m","prompt":["def f():"],"suffix":"return 1","max_tokens":9,"temperature":0.5,"stop":"x",
            "seed":4,"stream":true,"stream_options":{"include_usage":true},"n":1,"best_of":1,"echo":false,"logprobs":null,"user":"u"}"#;
        let asked = TextRequest::parse(body.as_bytes()).unwrap();
        assert_eq!((asked.prompt.as_str(), asked.suffix.as_deref()), ("def f():", Some("return 1")));
        assert_eq!((asked.parameters.max_tokens, asked.seed, asked.stop.len()), (Some(9), Some(4), 1));
        assert!(asked.stream && asked.include_usage);
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        for (fields, param) in [
            ("", "prompt"),
            (r#","prompt":"""#, "prompt"),
            (r#","prompt":["a","b"]"#, "prompt"),
            (r#","prompt":[1]"#, "prompt"),
            (r#","prompt":"a","temperature":3"#, "temperature"),
            (r#","prompt":"a","best_of":3"#, "best_of"),
            (r#","prompt":"a","echo":true"#, "echo"),
            (r#","prompt":"a","logprobs":3"#, "logprobs"),
            (r#","prompt":"a","stream_options":{}"#, "stream_options"),
        ] {
            let error = TextRequest::parse(format!(r#"{{"model":"m"{fields}}}"#).as_bytes()).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{fields}");
        }
    }
}

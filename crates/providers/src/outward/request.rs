//! `POST /v1/chat/completions` as typed data: every field understood, accepted as a mere label, or refused by name.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, from_str};
use stoa_model::completion::{AnswerForm, ParameterOutOfRange, Parameters, PromptMessage};

use super::error::ApiError;
use super::form;
use super::message::messages;

/// More messages than this in one request are refused.
pub const MAX_MESSAGES: usize = 10_000;
/// OpenAI takes 4 and Stoa 8.
pub const MAX_STOPS: usize = 8;
const MAX_STOP_BYTES: usize = 1_024;
const MAX_MODEL_BYTES: usize = 512;

/// What a program asks for. Sampling options are in range.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// `slug/name`.
    pub model: String,
    pub messages: Vec<PromptMessage>,
    pub parameters: Parameters,
    pub stop: Vec<String>,
    pub seed: Option<u32>,
    pub form: AnswerForm,
    /// Tells how likely each token was, beside so many of the likeliest.
    pub logprobs: Option<u8>,
    pub stream: bool,
    /// Whether a stream ends with a chunk of usage.
    pub include_usage: bool,
}

/// The fields of an object in their order, each still as text, so that what is wrong with one can be said by its name.
pub(super) struct Fields<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[derive(Default)]
struct Draft {
    model: Option<String>,
    messages: Option<Vec<PromptMessage>>,
    parameters: Parameters,
    max_completion_tokens: Option<u32>,
    stop: Vec<String>,
    seed: Option<u32>,
    form: AnswerForm,
    logprobs: bool,
    top_logprobs: Option<u8>,
    stream: bool,
    include_usage: Option<bool>,
}

impl ChatRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Fields(fields) = fields(body)?;
        let mut draft = Draft::default();
        for (name, value) in &fields {
            if value.get() != "null" {
                draft.take(name, value.get())?;
            }
        }
        draft.finish()
    }
}

impl Draft {
    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        match name {
            "model" => self.model = Some(model(value)?),
            "messages" => self.messages = Some(messages(value)?),
            "temperature" => self.parameters.temperature = Some(read(name, value, "a number")?),
            "top_p" => self.parameters.top_p = Some(read(name, value, "a number")?),
            "presence_penalty" => self.parameters.presence_penalty = Some(read(name, value, "a number")?),
            "frequency_penalty" => self.parameters.frequency_penalty = Some(read(name, value, "a number")?),
            "max_tokens" => self.parameters.max_tokens = Some(read(name, value, "a whole number above 0")?),
            "max_completion_tokens" => self.max_completion_tokens = Some(read(name, value, "a whole number above 0")?),
            "stop" => self.stop = stop(value)?,
            "seed" => self.seed = Some(read(name, value, "a whole number from 0 to 4294967295")?),
            "stream" => self.stream = read(name, value, "true or false")?,
            "stream_options" => self.include_usage = Some(stream_options(value)?),
            "tools" => self.form.tools.offered = form::tools(value)?,
            "tool_choice" => self.form.tools.choice = form::tool_choice(value)?,
            "parallel_tool_calls" => self.form.tools.one_call = !read::<bool>(name, value, "true or false")?,
            "response_format" => self.form.format = form::response_format(value)?,
            "reasoning_effort" => self.form.think = Some(form::reasoning_effort(value)?),
            "logprobs" => self.logprobs = read(name, value, "true or false")?,
            "top_logprobs" => self.top_logprobs = Some(top_logprobs(name, value)?),
            // Labels: they change nothing in the answer.
            "user"
            | "metadata"
            | "store"
            | "safety_identifier"
            | "prompt_cache_key"
            | "prompt_cache_retention"
            | "service_tier"
            | "prediction" => {}
            // Said as they are without being said.
            _ if is_default(name, value) => {}
            _ => return Err(unsupported(name)),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ChatRequest, ApiError> {
        let missing =
            |name: &str| ApiError::invalid("missing_required_parameter", name, format!("You must provide `{name}`."));
        let model = self.model.ok_or_else(|| missing("model"))?;
        let messages = self.messages.ok_or_else(|| missing("messages"))?;
        let mut limit_name = "max_tokens";
        if let Some(tokens) = self.max_completion_tokens {
            if self.parameters.max_tokens.is_some_and(|other| other != tokens) {
                let message = "`max_tokens` and `max_completion_tokens` contradict each other; give one of them.";
                return Err(ApiError::invalid("invalid_value", "max_completion_tokens", message));
            }
            self.parameters.max_tokens = Some(tokens);
            limit_name = "max_completion_tokens";
        }
        self.parameters.check().map_err(|error| {
            let name = if error.name == "max_tokens" { limit_name } else { error.name };
            ApiError::out_of_range(&ParameterOutOfRange { name, ..error })
        })?;
        self.form.tools.check().map_err(|error| ApiError::invalid("invalid_value", "tools", format!("{error}.")))?;
        if self.include_usage.is_some() && !self.stream {
            let message = "`stream_options` is only allowed when `stream` is true.";
            return Err(ApiError::invalid("invalid_value", "stream_options", message));
        }
        if self.top_logprobs.is_some_and(|top| top > 0) && !self.logprobs {
            let message = "`top_logprobs` is only allowed when `logprobs` is true.";
            return Err(ApiError::invalid("invalid_value", "top_logprobs", message));
        }
        Ok(ChatRequest {
            logprobs: self.logprobs.then(|| self.top_logprobs.unwrap_or(0)),
            model,
            messages,
            parameters: self.parameters,
            stop: self.stop,
            seed: self.seed,
            form: self.form,
            stream: self.stream,
            include_usage: self.include_usage.unwrap_or(false),
        })
    }
}

/// The fields of a body, none of them twice.
pub(super) fn fields(body: &[u8]) -> Result<Fields<'_>, ApiError> {
    let not_json = |detail: String| ApiError {
        param: None,
        code: None,
        ..ApiError::invalid("", "", format!("The body of the request is not the JSON that it should be: {detail}"))
    };
    let text = std::str::from_utf8(body).map_err(|error| not_json(error.to_string()))?;
    let fields: Fields<'_> = from_str(text).map_err(|error: serde_json::Error| not_json(error.to_string()))?;
    for (index, (name, _)) in fields.0.iter().enumerate() {
        if fields.0[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(ApiError::invalid("duplicate_parameter", name, format!("`{name}` is given twice.")));
        }
    }
    Ok(fields)
}

pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, expected: &str) -> Result<T, ApiError> {
    from_str(value).map_err(|_| {
        ApiError::invalid("invalid_type", name, format!("`{name}` must be {expected}, but is {}.", shown(value)))
    })
}

/// A value short enough for a message.
pub(super) fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(60).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

pub(super) fn unsupported(name: &str) -> ApiError {
    let message = match name {
        "functions" | "function_call" => format!("`{name}` is not supported: use `tools` and `tool_choice`."),
        "n" => "Only one answer a request is supported: leave out `n`.".to_owned(),
        _ => format!("`{name}` is not supported: leave it out."),
    };
    ApiError::invalid("unsupported_parameter", name, message)
}

/// Whether a field that Stoa does not have says no more than what is so anyway.
pub(super) fn is_default(name: &str, value: &str) -> bool {
    let Ok(value) = from_str::<Value>(value) else { return false };
    match name {
        "n" | "best_of" => value == 1,
        "echo" | "logprobs" => value == false,
        "logit_bias" => value.as_object().is_some_and(serde_json::Map::is_empty),
        "functions" => value.as_array().is_some_and(Vec::is_empty),
        "function_call" => value == "none" || value == "auto",
        "modalities" => value == serde_json::json!(["text"]),
        _ => false,
    }
}

pub(super) fn top_logprobs(name: &str, value: &str) -> Result<u8, ApiError> {
    const EXPECTED: &str = "a whole number from 0 to 20";
    let top: u8 = read(name, value, EXPECTED)?;
    if top > 20 {
        return Err(ApiError::invalid("invalid_value", name, format!("`{name}` must be {EXPECTED}, but is {top}.")));
    }
    Ok(top)
}

pub(super) fn model(value: &str) -> Result<String, ApiError> {
    let model: String = read("model", value, "a text")?;
    if model.is_empty() || model.len() > MAX_MODEL_BYTES {
        let message = format!("`model` must have 1 to {MAX_MODEL_BYTES} bytes.");
        return Err(ApiError::invalid("invalid_value", "model", message));
    }
    Ok(model)
}

pub(super) fn stop(value: &str) -> Result<Vec<String>, ApiError> {
    stops("stop", value)
}

/// The texts that end an answer, whatever they are called.
pub(super) fn stops(name: &str, value: &str) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Many(Vec<String>),
    }
    let stops = match read(name, value, "a text or a list of texts")? {
        Stop::One(stop) => vec![stop],
        Stop::Many(stops) => stops,
    };
    if stops.len() > MAX_STOPS {
        let message = format!("`{name}` holds {} texts; {MAX_STOPS} are the most.", stops.len());
        return Err(ApiError::invalid("array_above_max_length", name, message));
    }
    if stops.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES) {
        let message = format!("Each text of `{name}` must have 1 to {MAX_STOP_BYTES} bytes.");
        return Err(ApiError::invalid("invalid_value", name, message));
    }
    Ok(stops)
}

pub(super) fn stream_options(value: &str) -> Result<bool, ApiError> {
    let Fields(fields) = read("stream_options", value, "an object")?;
    let mut include_usage = false;
    for (name, value) in &fields {
        let path = format!("stream_options.{name}");
        match name.as_str() {
            _ if value.get() == "null" => {}
            "include_usage" => include_usage = read(&path, value.get(), "true or false")?,
            // Padding against eavesdroppers of lengths: a server is free to leave it out.
            "include_obfuscation" => {}
            _ => return Err(unsupported(&path)),
        }
    }
    Ok(include_usage)
}

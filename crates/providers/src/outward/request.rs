//! `POST /v1/chat/completions` as typed data: every field understood, accepted as a mere label, or refused by name.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, from_str};
use stoa_model::completion::{Parameters, PromptMessage};
use stoa_model::conversation::MessageRole;

use super::error::ApiError;

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
    pub stream: bool,
    /// Whether a stream ends with a chunk of usage.
    pub include_usage: bool,
}

/// The fields of an object in their order, each still as text, so that what is wrong with one can be said by its name.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

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
    stream: bool,
    include_usage: Option<bool>,
}

impl ChatRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let not_json = |detail: String| ApiError {
            param: None,
            code: None,
            ..ApiError::invalid("", "", format!("The body of the request is not the JSON that it should be: {detail}"))
        };
        let text = std::str::from_utf8(body).map_err(|error| not_json(error.to_string()))?;
        let Fields(fields) = from_str(text).map_err(|error: serde_json::Error| not_json(error.to_string()))?;
        let mut draft = Draft::default();
        for (index, (name, value)) in fields.iter().enumerate() {
            if fields[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid("duplicate_parameter", name, format!("`{name}` is given twice.")));
            }
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
            // Labels: they change nothing in the answer.
            "user"
            | "metadata"
            | "store"
            | "safety_identifier"
            | "prompt_cache_key"
            | "prompt_cache_retention"
            | "service_tier"
            | "prediction"
            | "parallel_tool_calls" => {}
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
            let message =
                format!("`{name}` must be between {} and {}, but is {}.", error.minimum, error.maximum, error.value);
            ApiError::invalid("invalid_value", name, message)
        })?;
        if self.include_usage.is_some() && !self.stream {
            let message = "`stream_options` is only allowed when `stream` is true.";
            return Err(ApiError::invalid("invalid_value", "stream_options", message));
        }
        Ok(ChatRequest {
            model,
            messages,
            parameters: self.parameters,
            stop: self.stop,
            seed: self.seed,
            stream: self.stream,
            include_usage: self.include_usage.unwrap_or(false),
        })
    }
}

fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, expected: &str) -> Result<T, ApiError> {
    from_str(value).map_err(|_| {
        ApiError::invalid("invalid_type", name, format!("`{name}` must be {expected}, but is {}.", shown(value)))
    })
}

/// A value short enough for a message.
fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(60).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn unsupported(name: &str) -> ApiError {
    let message = match name {
        "tools" | "tool_choice" | "functions" | "function_call" => {
            format!("Tools are not supported yet: leave out `{name}`.")
        }
        "response_format" => "Only the response format `text` is supported: leave out `response_format`.".to_owned(),
        "n" => "Only one answer a request is supported: leave out `n`.".to_owned(),
        _ => format!("`{name}` is not supported: leave it out."),
    };
    ApiError::invalid("unsupported_parameter", name, message)
}

/// Whether a field that Stoa does not have says no more than what is so anyway.
fn is_default(name: &str, value: &str) -> bool {
    let Ok(value) = from_str::<Value>(value) else { return false };
    match name {
        "n" => value == 1,
        "logprobs" => value == false,
        "top_logprobs" => value == 0,
        "logit_bias" => value.as_object().is_some_and(serde_json::Map::is_empty),
        "tools" | "functions" => value.as_array().is_some_and(Vec::is_empty),
        "tool_choice" | "function_call" => value == "none" || value == "auto",
        "response_format" => value["type"] == "text",
        "modalities" => value == serde_json::json!(["text"]),
        _ => false,
    }
}

fn model(value: &str) -> Result<String, ApiError> {
    let model: String = read("model", value, "a text")?;
    if model.is_empty() || model.len() > MAX_MODEL_BYTES {
        let message = format!("`model` must have 1 to {MAX_MODEL_BYTES} bytes.");
        return Err(ApiError::invalid("invalid_value", "model", message));
    }
    Ok(model)
}

fn stop(value: &str) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Many(Vec<String>),
    }
    let stops = match read("stop", value, "a text or a list of texts")? {
        Stop::One(stop) => vec![stop],
        Stop::Many(stops) => stops,
    };
    if stops.len() > MAX_STOPS {
        let message = format!("`stop` holds {} texts; {MAX_STOPS} are the most.", stops.len());
        return Err(ApiError::invalid("array_above_max_length", "stop", message));
    }
    if stops.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES) {
        let message = format!("Each text of `stop` must have 1 to {MAX_STOP_BYTES} bytes.");
        return Err(ApiError::invalid("invalid_value", "stop", message));
    }
    Ok(stops)
}

fn stream_options(value: &str) -> Result<bool, ApiError> {
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

fn messages(value: &str) -> Result<Vec<PromptMessage>, ApiError> {
    let raw: Vec<&RawValue> = read("messages", value, "a list of messages")?;
    if raw.is_empty() {
        return Err(ApiError::invalid("empty_array", "messages", "`messages` must hold at least one message."));
    }
    if raw.len() > MAX_MESSAGES {
        let message = format!("`messages` holds {} messages; {MAX_MESSAGES} are the most.", raw.len());
        return Err(ApiError::invalid("array_above_max_length", "messages", message));
    }
    raw.iter().enumerate().map(|(index, value)| message(&format!("messages[{index}]"), value.get())).collect()
}

fn message(path: &str, value: &str) -> Result<PromptMessage, ApiError> {
    let Fields(fields) = read(path, value, "a message")?;
    let (mut role, mut text) = (None, None);
    for (name, value) in &fields {
        let path = format!("{path}.{name}");
        let value = value.get();
        match name.as_str() {
            _ if value == "null" => {}
            "role" => role = Some(message_role(&path, value)?),
            "content" => text = Some(content(&path, value)?),
            // What an answer carries beside its text, when a client sends it back as it came.
            "reasoning_content" | "reasoning" | "annotations" => {}
            "tool_calls" if value == "[]" => {}
            _ => return Err(unsupported(&path)),
        }
    }
    let missing = |name: &str| {
        let path = format!("{path}.{name}");
        let message = format!("You must provide `{path}`.");
        ApiError::invalid("missing_required_parameter", path, message)
    };
    Ok(PromptMessage { role: role.ok_or_else(|| missing("role"))?, text: text.ok_or_else(|| missing("content"))? })
}

fn message_role(path: &str, value: &str) -> Result<MessageRole, ApiError> {
    let role: String = read(path, value, "a text")?;
    match role.as_str() {
        // `developer` is what OpenAI's newer models call `system`.
        "system" | "developer" => Ok(MessageRole::System),
        "user" => Ok(MessageRole::User),
        "assistant" => Ok(MessageRole::Assistant),
        "tool" | "function" => Err(ApiError::invalid("unsupported_value", path, "Tools are not supported yet.")),
        _ => {
            let message =
                format!("`{path}` must be `system`, `developer`, `user` or `assistant`, but is {}.", shown(value));
            Err(ApiError::invalid("invalid_value", path, message))
        }
    }
}

/// A text, or parts of kind `text`, which are put together line by line.
fn content(path: &str, value: &str) -> Result<String, ApiError> {
    if value.starts_with('"') {
        return read(path, value, "a text");
    }
    let parts: Vec<&RawValue> = read(path, value, "a text or a list of parts")?;
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let part: Value = read(&path, part.get(), "a part")?;
        let kind = part["type"].as_str().unwrap_or_default();
        let piece = match kind {
            "text" => part["text"].as_str(),
            "refusal" => part["refusal"].as_str(),
            _ => {
                let message = format!("Parts of the type {} are not supported: only `text`.", shown(kind));
                return Err(ApiError::invalid("unsupported_value", format!("{path}.type"), message));
            }
        };
        let Some(piece) = piece else {
            let message = format!("`{path}` must hold a text.");
            return Err(ApiError::invalid("invalid_type", path, message));
        };
        if index > 0 {
            text.push('\n');
        }
        text.push_str(piece);
    }
    Ok(text)
}

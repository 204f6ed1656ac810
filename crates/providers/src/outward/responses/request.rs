//! `POST /v1/responses` as typed data.

use serde::Serialize;
use stoa_model::completion::{AnswerForm, ParameterOutOfRange, Parameters, PromptMessage, PromptRole};
use stoa_model::json::Json;

use super::{form, input};
use crate::outward::error::ApiError;
use crate::outward::request::{Fields, fields, model, read, shown, stream_options, unsupported};

/// What a program asks for. Sampling options are in range.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponsesRequest {
    /// `slug/name`.
    pub model: String,
    pub messages: Vec<PromptMessage>,
    pub parameters: Parameters,
    pub form: AnswerForm,
    pub stream: bool,
    pub(super) echo: Echo,
}

/// What a response repeats of its request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Echo {
    background: bool,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    max_tool_calls: Option<u32>,
    metadata: Json,
    parallel_tool_calls: bool,
    previous_response_id: Option<String>,
    reasoning: Json,
    store: bool,
    temperature: Option<f64>,
    text: Json,
    tool_choice: Json,
    tools: Vec<Json>,
    top_logprobs: u8,
    top_p: Option<f64>,
    truncation: &'static str,
    user: Option<String>,
}

impl Default for Echo {
    fn default() -> Self {
        let object = |entries: Vec<(&str, Json)>| {
            Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        };
        let text = |text: &str| Json::Text(text.to_owned());
        Self {
            background: false,
            instructions: None,
            max_output_tokens: None,
            max_tool_calls: None,
            metadata: object(Vec::new()),
            parallel_tool_calls: true,
            previous_response_id: None,
            reasoning: object(vec![("effort", Json::Null), ("summary", Json::Null)]),
            store: false,
            temperature: None,
            text: object(vec![("format", object(vec![("type", text("text"))]))]),
            tool_choice: text("auto"),
            tools: Vec::new(),
            top_logprobs: 0,
            top_p: None,
            truncation: "disabled",
            user: None,
        }
    }
}

impl ResponsesRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Fields(fields) = fields(body)?;
        let (mut name, mut said) = (None, None);
        let mut asked = Self {
            model: String::new(),
            messages: Vec::new(),
            parameters: Parameters::default(),
            form: AnswerForm::default(),
            stream: false,
            echo: Echo::default(),
        };
        for (field, value) in &fields {
            match (field.as_str(), value.get()) {
                (_, "null") => {}
                ("model", value) => name = Some(model(value)?),
                ("input", value) => said = Some(input::input(value)?),
                (field, value) => asked.take(field, value)?,
            }
        }
        let missing = |field: &str| {
            ApiError::invalid("missing_required_parameter", field, format!("You must provide `{field}`."))
        };
        asked.model = name.ok_or_else(|| missing("model"))?;
        let instructions = asked.echo.instructions.as_deref().filter(|instructions| !instructions.is_empty());
        let instructions = instructions.map(|instructions| PromptMessage::new(PromptRole::System, instructions));
        asked.messages = instructions.into_iter().chain(said.ok_or_else(|| missing("input"))?).collect();
        asked.parameters.check().map_err(|error| {
            let name = if error.name == "max_tokens" { "max_output_tokens" } else { error.name };
            ApiError::out_of_range(&ParameterOutOfRange { name, ..error })
        })?;
        let tools = asked.form.tools.check();
        tools.map_err(|error| ApiError::invalid("invalid_value", "tools", format!("{error}.")))?;
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let echo = &mut self.echo;
        match name {
            "instructions" => echo.instructions = Some(read(name, value, "a text")?),
            "max_output_tokens" => {
                echo.max_output_tokens = Some(read(name, value, "a whole number above 0")?);
                self.parameters.max_tokens = echo.max_output_tokens;
            }
            "temperature" => {
                echo.temperature = Some(read(name, value, "a number")?);
                self.parameters.temperature = echo.temperature;
            }
            "top_p" => {
                echo.top_p = Some(read(name, value, "a number")?);
                self.parameters.top_p = echo.top_p;
            }
            "tools" => {
                self.form.tools.offered = form::tools(value)?;
                echo.tools = read(name, value, "a list of tools")?;
            }
            "tool_choice" => {
                self.form.tools.choice = form::tool_choice(value)?;
                echo.tool_choice = read(name, value, "a choice")?;
            }
            "parallel_tool_calls" => {
                echo.parallel_tool_calls = read(name, value, "true or false")?;
                self.form.tools.one_call = !echo.parallel_tool_calls;
            }
            "text" => {
                self.form.format = form::text(value)?;
                if let Ok(text @ Json::Object(_)) = Json::parse(value)
                    && text.get("format").is_some()
                {
                    echo.text = text;
                }
            }
            "reasoning" => {
                self.form.think = form::reasoning(value)?;
                echo.reasoning = read(name, value, "an object")?;
            }
            "stream" => self.stream = read(name, value, "true or false")?,
            "metadata" => echo.metadata = read(name, value, "an object")?,
            "user" => echo.user = Some(read(name, value, "a text")?),
            // Only tools of OpenAI's own servers count, and there is none of them here.
            "max_tool_calls" => echo.max_tool_calls = Some(read(name, value, "a whole number")?),
            "include" => include(value)?,
            "stream_options" => stream_options(value).map(drop)?,
            "store" if value == "true" => return Err(kept(name, "leave it out, or send `false`")),
            "background" if value == "true" => return Err(kept(name, "leave it out, and stay for the answer")),
            "previous_response_id" | "conversation" => {
                return Err(kept(name, "send the whole conversation in `input`"));
            }
            "store" | "background" => read::<bool>(name, value, "true or false").map(drop)?,
            "truncation" if value == "\"disabled\"" => {}
            "top_logprobs" if value == "0" => {}
            // Labels: they change nothing in the answer.
            "safety_identifier" | "prompt_cache_key" | "prompt_cache_retention" | "service_tier" => {}
            _ => return Err(unsupported(name)),
        }
        Ok(())
    }
}

fn kept(name: &str, instead: &str) -> ApiError {
    let message = format!("`{name}` is not supported, for no response is kept here: {instead}.");
    ApiError::invalid("unsupported_parameter", name, message)
}

/// Sealed thoughts are for servers that keep none in the open; here they go out in the open anyway.
fn include(value: &str) -> Result<(), ApiError> {
    let wanted: Vec<String> = read("include", value, "a list of texts")?;
    match wanted.iter().find(|wanted| *wanted != "reasoning.encrypted_content") {
        None => Ok(()),
        Some(other) => {
            let message = format!("`include` may not hold {}.", shown(other));
            Err(ApiError::invalid("unsupported_value", "include", message))
        }
    }
}

//! `POST /v1/messages` as typed data.

use stoa_model::completion::{AnswerForm, ParameterOutOfRange, Parameters, PromptMessage};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;

use super::message::{messages, system};
use super::tools::{tool_choice, tools};
use crate::outward::block::Block;
use crate::outward::error::ApiError;
use crate::outward::request::{Fields, fields, model, read, shown, stops, unsupported};

/// Anthropic's smallest budget of thought.
const LEAST_BUDGET: u32 = 1_024;

/// What a program asks for. Sampling options are in range.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagesRequest {
    /// `slug/name`.
    pub model: String,
    pub messages: Vec<PromptMessage>,
    pub parameters: Parameters,
    /// The likeliest tokens that may be chosen.
    pub top_k: Option<u32>,
    pub stop: Vec<String>,
    pub form: AnswerForm,
    /// Whether thoughts go out with the answer.
    pub shows_thoughts: bool,
    pub stream: bool,
}

#[derive(Default)]
struct Thinking {
    /// What `thinking` says.
    asked: Option<Think>,
    /// What `output_config.effort` says.
    effort: Option<Think>,
    budget: Option<u32>,
    hidden: bool,
}

impl MessagesRequest {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let Fields(fields) = fields(body)?;
        let (mut name, mut said, mut instructions) = (None, None, None);
        let mut thinking = Thinking::default();
        let mut asked = Self {
            model: String::new(),
            messages: Vec::new(),
            parameters: Parameters::default(),
            top_k: None,
            stop: Vec::new(),
            form: AnswerForm::default(),
            shows_thoughts: true,
            stream: false,
        };
        for (field, value) in &fields {
            let value = value.get();
            match field.as_str() {
                _ if value == "null" => {}
                "model" => name = Some(model(value)?),
                "messages" => said = Some(messages(value)?),
                "system" => instructions = system(value)?,
                "max_tokens" => asked.parameters.max_tokens = Some(read(field, value, "a whole number above 0")?),
                "temperature" => asked.parameters.temperature = Some(read(field, value, "a number")?),
                "top_p" => asked.parameters.top_p = Some(read(field, value, "a number")?),
                "top_k" => asked.top_k = Some(read(field, value, "a whole number above 0")?),
                "stop_sequences" => asked.stop = stops(field, value)?,
                "stream" => asked.stream = read(field, value, "true or false")?,
                "tools" => asked.form.tools.offered = tools(value)?,
                "tool_choice" => (asked.form.tools.choice, asked.form.tools.one_call) = tool_choice(value)?,
                "thinking" => thinking.read(value)?,
                "output_config" => asked.form.format = output_config(value, &mut thinking)?,
                // Labels, and where and how fast it is computed: they change nothing in the answer.
                "metadata" | "service_tier" | "cache_control" | "inference_geo" | "speed" => {}
                _ => return Err(unsupported(field)),
            }
        }
        let missing = |field: &str| {
            ApiError::invalid("missing_required_parameter", field, format!("You must provide `{field}`."))
        };
        asked.model = name.ok_or_else(|| missing("model"))?;
        asked.messages = instructions.into_iter().chain(said.ok_or_else(|| missing("messages"))?).collect();
        asked.check(&thinking)?;
        let max_tokens = asked.parameters.max_tokens.ok_or_else(|| missing("max_tokens"))?;
        if thinking.budget.is_some_and(|budget| budget >= max_tokens) {
            let path = "thinking.budget_tokens";
            return Err(ApiError::invalid("invalid_value", path, format!("`{path}` must be below `max_tokens`.")));
        }
        asked.form.think = match (thinking.asked, thinking.effort) {
            // Thought is off whatever the effort, which would then only say how much is to be written.
            (Some(Think::Off), _) => Some(Think::Off),
            (asked, effort) => effort.or(asked),
        };
        asked.shows_thoughts = !thinking.hidden;
        Ok(asked)
    }

    fn check(&self, thinking: &Thinking) -> Result<(), ApiError> {
        self.parameters.check().map_err(|error| ApiError::out_of_range(&error))?;
        // Anthropic's range is narrower than others'.
        if let Some(value) = self.parameters.temperature.filter(|value| *value > 1.0) {
            let error = ParameterOutOfRange { name: "temperature", minimum: 0.0, maximum: 1.0, value };
            return Err(ApiError::out_of_range(&error));
        }
        if let Some(budget) = thinking.budget.filter(|budget| *budget < LEAST_BUDGET) {
            let path = "thinking.budget_tokens";
            let message = format!("`{path}` must be at least {LEAST_BUDGET}, but is {budget}.");
            return Err(ApiError::invalid("invalid_value", path, message));
        }
        self.form.tools.check().map_err(|error| ApiError::invalid("invalid_value", "tools", format!("{error}.")))
    }
}

impl Thinking {
    fn read(&mut self, value: &str) -> Result<(), ApiError> {
        let thinking = Block::read("thinking".to_owned(), value, "")?;
        thinking.only(&["budget_tokens", "display"])?;
        self.asked = Some(match thinking.kind.as_str() {
            "enabled" => {
                let budget = thinking.needed("budget_tokens", "a whole number above 0")?;
                self.budget = Some(budget);
                Think::Budget(budget)
            }
            "adaptive" => Think::On,
            "disabled" => Think::Off,
            _ => return Err(thinking.unknown("it must be `enabled`, `adaptive` or `disabled`")),
        });
        match thinking.optional::<String>("display", "a text")?.as_deref() {
            None | Some("summarized") => {}
            Some("omitted") => self.hidden = true,
            Some(other) => {
                let message = format!("`thinking.display` must be `summarized` or `omitted`, but is {}.", shown(other));
                return Err(ApiError::invalid("invalid_value", "thinking.display", message));
            }
        }
        Ok(())
    }
}

fn output_config(value: &str, thinking: &mut Thinking) -> Result<Option<Format>, ApiError> {
    let config = Block::read("output_config".to_owned(), value, "")?;
    config.only(&["effort", "format"])?;
    if let Some(effort) = config.optional::<String>("effort", "a text")? {
        thinking.effort = Some(match effort.as_str() {
            "low" => Think::Low,
            "medium" => Think::Medium,
            "high" => Think::High,
            "xhigh" | "max" => Think::Max,
            other => {
                let path = config.at("effort");
                let message =
                    format!("`{path}` must be `low`, `medium`, `high`, `xhigh` or `max`, but is {}.", shown(other));
                return Err(ApiError::invalid("invalid_value", path, message));
            }
        });
    }
    let Some(format) = config.raw("format") else { return Ok(None) };
    let format = Block::read(config.at("format"), format, "")?;
    format.only(&["schema"])?;
    if format.kind != "json_schema" {
        return Err(format.unknown("it must be `json_schema`"));
    }
    let schema: Json = format.needed("schema", "a JSON Schema")?;
    let path = format.at("schema");
    let format = Format::of_schema(schema, true);
    format.map(Some).map_err(|error| ApiError::invalid("invalid_value", path, format!("{error}.")))
}

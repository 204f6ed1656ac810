//! What a request wants of the form of the answer: tools, JSON, and how hard the model is to think.

use serde::Deserialize;
use serde_json::Value;
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::ToolChoice;

use super::error::ApiError;
use super::request::{read, shown};

pub(super) fn tools(value: &str) -> Result<Vec<Json>, ApiError> {
    let tools: Vec<Json> = read("tools", value, "a list of tools")?;
    for (index, tool) in tools.iter().enumerate() {
        if tool.get("type").and_then(Json::as_text) != Some("function") {
            let path = format!("tools[{index}].type");
            let message = format!("`{path}` must be `function`: other tools are not here.");
            return Err(ApiError::invalid("invalid_value", path, message));
        }
    }
    Ok(tools)
}

pub(super) fn tool_choice(value: &str) -> Result<ToolChoice, ApiError> {
    const EXPECTED: &str = "`none`, `auto`, `required` or a function";
    let choice: Value = read("tool_choice", value, EXPECTED)?;
    let named = || choice["function"]["name"].as_str().filter(|_| choice["type"] == "function");
    match choice.as_str() {
        Some("none") => Ok(ToolChoice::None),
        Some("auto") => Ok(ToolChoice::Auto),
        Some("required") => Ok(ToolChoice::Required),
        _ => named().map(|name| ToolChoice::Named(name.to_owned())).ok_or_else(|| {
            let message = format!("`tool_choice` must be {EXPECTED}, but is {}.", shown(value));
            ApiError::invalid("invalid_value", "tool_choice", message)
        }),
    }
}

pub(super) fn response_format(value: &str) -> Result<Option<Format>, ApiError> {
    #[derive(Deserialize)]
    struct Wanted {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        json_schema: Option<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        schema: Option<Json>,
        #[serde(default)]
        strict: Option<bool>,
    }
    let wanted: Wanted = read("response_format", value, "an object with a `type`")?;
    let invalid = |path: &str, message: String| ApiError::invalid("invalid_value", path, message);
    match (wanted.kind.as_str(), wanted.json_schema) {
        ("text", _) => Ok(None),
        ("json_object", _) => Ok(Some(Format::Json)),
        ("json_schema", Some(Named { schema: Some(schema @ Json::Object(_)), strict })) => {
            let format = Format::of_schema(schema, strict.unwrap_or(false));
            format.map(Some).map_err(|error| invalid("response_format.json_schema.schema", format!("{error}.")))
        }
        ("json_schema", _) => {
            let path = "response_format.json_schema.schema";
            Err(invalid(path, format!("`{path}` must be a JSON Schema.")))
        }
        (kind, _) => {
            let message = format!(
                "`response_format.type` must be `text`, `json_object` or `json_schema`, but is {}.",
                shown(kind)
            );
            Err(invalid("response_format.type", message))
        }
    }
}

pub(super) fn reasoning_effort(value: &str) -> Result<Think, ApiError> {
    const EXPECTED: &str = "`none`, `minimal`, `low`, `medium`, `high` or `xhigh`";
    let effort: String = read("reasoning_effort", value, EXPECTED)?;
    Think::of_effort(&effort).ok_or_else(|| {
        let message = format!("`reasoning_effort` must be {EXPECTED}, but is {}.", shown(value));
        ApiError::invalid("invalid_value", "reasoning_effort", message)
    })
}

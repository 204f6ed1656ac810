//! What a request wants of the form of the answer: functions, JSON, and how hard the model is to think.

use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::ToolChoice;

use crate::outward::block::Block;
use crate::outward::error::ApiError;
use crate::outward::request::{read, shown};

/// Each as the rest of Stoa knows it; here a function's parts stand beside its `type` and not within it.
pub(super) fn tools(value: &str) -> Result<Vec<Json>, ApiError> {
    let tools: Vec<&RawValue> = read("tools", value, "a list of tools")?;
    tools.iter().enumerate().map(|(index, tool)| function(format!("tools[{index}]"), tool.get())).collect()
}

fn function(path: String, value: &str) -> Result<Json, ApiError> {
    let tool = Block::read(path, value, "")?;
    if tool.kind != "function" {
        return Err(tool.unknown("only a `function` can be called here"));
    }
    tool.only(&["name", "description", "parameters", "strict"])?;
    let text = |text: String| Json::Text(text);
    let mut function = vec![("name".to_owned(), text(tool.text("name")?))];
    if let Some(description) = tool.optional("description", "a text")? {
        function.push(("description".to_owned(), text(description)));
    }
    if let Some(parameters) = tool.optional("parameters", "a JSON Schema")? {
        function.push(("parameters".to_owned(), parameters));
    }
    if let Some(strict) = tool.optional("strict", "true or false")? {
        function.push(("strict".to_owned(), Json::Bool(strict)));
    }
    let function = Json::Object(function.into_iter().collect());
    let entries = [("type".to_owned(), text("function".to_owned())), ("function".to_owned(), function)];
    Ok(Json::Object(entries.into_iter().collect()))
}

pub(super) fn tool_choice(value: &str) -> Result<ToolChoice, ApiError> {
    const EXPECTED: &str = "`none`, `auto`, `required` or a function";
    let choice: Value = read("tool_choice", value, EXPECTED)?;
    match choice.as_str() {
        Some("none") => Ok(ToolChoice::None),
        Some("auto") => Ok(ToolChoice::Auto),
        Some("required") => Ok(ToolChoice::Required),
        _ => {
            let named = choice["name"].as_str().filter(|_| choice["type"] == "function");
            named.map(|name| ToolChoice::Named(name.to_owned())).ok_or_else(|| {
                let message = format!("`tool_choice` must be {EXPECTED}, but is {}.", shown(value));
                ApiError::invalid("invalid_value", "tool_choice", message)
            })
        }
    }
}

/// The form of the text.
pub(super) fn text(value: &str) -> Result<Option<Format>, ApiError> {
    let text = Block::read("text".to_owned(), value, "")?;
    text.only(&["format", "verbosity"])?;
    if let Some(verbosity) = text.optional::<String>("verbosity", "a text")?.filter(|verbosity| verbosity != "medium") {
        let message = format!(
            "`text.verbosity` may not be {}: how long a model is to write it is told in words.",
            shown(&verbosity)
        );
        return Err(ApiError::invalid("unsupported_value", "text.verbosity", message));
    }
    let Some(format) = text.raw("format") else { return Ok(None) };
    let format = Block::read(text.at("format"), format, "")?;
    match format.kind.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::Json)),
        "json_schema" => {
            format.only(&["name", "description", "schema", "strict"])?;
            let schema: Json = format.needed("schema", "a JSON Schema")?;
            let strict = format.optional("strict", "true or false")?.unwrap_or(false);
            let path = format.at("schema");
            let format = Format::of_schema(schema, strict);
            format.map(Some).map_err(|error| ApiError::invalid("invalid_value", path, format!("{error}.")))
        }
        _ => Err(format.unknown("it must be `text`, `json_object` or `json_schema`")),
    }
}

pub(super) fn reasoning(value: &str) -> Result<Option<Think>, ApiError> {
    let reasoning = Block::read("reasoning".to_owned(), value, "")?;
    // Thoughts go out whole; a summary of them is not made.
    reasoning.only(&["effort", "summary", "generate_summary"])?;
    let Some(effort) = reasoning.optional::<String>("effort", "a text")? else { return Ok(None) };
    Think::of_effort(&effort).map(Some).ok_or_else(|| {
        let expected = "`none`, `minimal`, `low`, `medium`, `high` or `xhigh`";
        let message = format!("`reasoning.effort` must be {expected}, but is {}.", shown(&effort));
        ApiError::invalid("invalid_value", "reasoning.effort", message)
    })
}

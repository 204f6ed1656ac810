//! The tools of a request, and which of them is to be called.

use serde_json::value::RawValue;
use stoa_model::json::Json;
use stoa_model::tools::ToolChoice;

use crate::outward::block::Block;
use crate::outward::error::ApiError;
use crate::outward::request::read;

/// Each as the rest of Stoa knows it. Anthropic's own tools run on its servers, and there is none of them here.
pub(super) fn tools(value: &str) -> Result<Vec<Json>, ApiError> {
    let tools: Vec<&RawValue> = read("tools", value, "a list of tools")?;
    tools.iter().enumerate().map(|(index, tool)| read_tool(format!("tools[{index}]"), tool.get())).collect()
}

fn read_tool(path: String, value: &str) -> Result<Json, ApiError> {
    let tool = Block::read(path, value, "custom")?;
    if tool.kind != "custom" {
        return Err(tool.unknown("only `custom` tools can be called here"));
    }
    // How its call is streamed and kept changes nothing in the call.
    tool.only(&["name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"])?;
    let text = |text: String| Json::Text(text);
    let mut function = vec![("name".to_owned(), text(tool.text("name")?))];
    if let Some(description) = tool.optional("description", "a text")? {
        function.push(("description".to_owned(), text(description)));
    }
    function.push(("parameters".to_owned(), tool.needed("input_schema", "a JSON Schema")?));
    if let Some(strict) = tool.optional("strict", "true or false")? {
        function.push(("strict".to_owned(), Json::Bool(strict)));
    }
    Ok(Json::Object(
        [
            ("type".to_owned(), text("function".to_owned())),
            ("function".to_owned(), Json::Object(function.into_iter().collect())),
        ]
        .into_iter()
        .collect(),
    ))
}

/// The choice, and whether one call at most is wanted.
pub(super) fn tool_choice(value: &str) -> Result<(ToolChoice, bool), ApiError> {
    let choice = Block::read("tool_choice".to_owned(), value, "")?;
    choice.only(&["name", "disable_parallel_tool_use"])?;
    let one_call = choice.optional("disable_parallel_tool_use", "true or false")?.unwrap_or(false);
    let wanted = match choice.kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.text("name")?),
        _ => return Err(choice.unknown("it must be `auto`, `any`, `tool` or `none`")),
    };
    Ok((wanted, one_call))
}

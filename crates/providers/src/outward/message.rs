//! The messages of a request.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::completion::{PromptMessage, PromptRole};
use stoa_model::tools::ToolCall;

use super::content::{Content, check_images};
use super::error::ApiError;
use super::request::{Fields, MAX_MESSAGES, read, shown, unsupported};

pub(super) fn messages(value: &str) -> Result<Vec<PromptMessage>, ApiError> {
    let raw: Vec<&RawValue> = read("messages", value, "a list of messages")?;
    if raw.is_empty() {
        return Err(ApiError::invalid("empty_array", "messages", "`messages` must hold at least one message."));
    }
    if raw.len() > MAX_MESSAGES {
        let message = format!("`messages` holds {} messages; {MAX_MESSAGES} are the most.", raw.len());
        return Err(ApiError::invalid("array_above_max_length", "messages", message));
    }
    let message = |(index, value): (usize, &&RawValue)| message(&format!("messages[{index}]"), value.get());
    let mut messages = raw.iter().enumerate().map(message).collect::<Result<Vec<_>, _>>()?;
    check_images("messages", &messages)?;
    name_tools(&mut messages);
    Ok(messages)
}

/// Says of each answer of a tool which tool it was: this protocol names the call alone, and some templates need both.
pub(super) fn name_tools(messages: &mut [PromptMessage]) {
    let mut names: HashMap<String, String> = HashMap::new();
    for message in messages {
        names.extend(message.tool_calls.iter().map(|call| (call.id.clone(), call.name.clone())));
        if let (None, Some(id)) = (&message.tool_name, &message.tool_call_id) {
            message.tool_name = names.get(id).cloned();
        }
    }
}

fn message(path: &str, value: &str) -> Result<PromptMessage, ApiError> {
    let Fields(fields) = read(path, value, "a message")?;
    let (mut role, mut said) = (None, PromptMessage::default());
    let mut has_content = false;
    for (name, value) in &fields {
        let path = format!("{path}.{name}");
        let value = value.get();
        match name.as_str() {
            _ if value == "null" => {}
            "role" => role = Some(message_role(&path, value)?),
            "content" => {
                let content = content(&path, value)?;
                (said.text, said.images, has_content) = (content.text, content.images, true);
            }
            "reasoning_content" | "reasoning" => said.reasoning = Some(read(&path, value, "a text")?),
            "tool_calls" => said.tool_calls = calls(&path, value)?,
            "tool_call_id" => said.tool_call_id = Some(read(&path, value, "a text")?),
            "name" => said.tool_name = Some(read(&path, value, "a text")?),
            // What an answer carries beside its text, when a client sends it back as it came.
            "annotations" => {}
            _ => return Err(unsupported(&path)),
        }
    }
    let missing = |name: &str| {
        let path = format!("{path}.{name}");
        let message = format!("You must provide `{path}`.");
        ApiError::invalid("missing_required_parameter", path, message)
    };
    said.role = role.ok_or_else(|| missing("role"))?;
    if !has_content && said.tool_calls.is_empty() {
        return Err(missing("content"));
    }
    if said.role == PromptRole::Tool && said.tool_call_id.is_none() {
        return Err(missing("tool_call_id"));
    }
    if said.role != PromptRole::Tool && said.tool_name.is_some() {
        return Err(unsupported(&format!("{path}.name")));
    }
    if said.role != PromptRole::User && !said.images.is_empty() {
        let path = format!("{path}.content");
        return Err(ApiError::invalid("invalid_value", &path, "Only a `user` shows images."));
    }
    if said.role != PromptRole::Assistant && !said.tool_calls.is_empty() {
        let path = format!("{path}.tool_calls");
        return Err(ApiError::invalid("invalid_value", &path, format!("Only an `assistant` has `{path}`.")));
    }
    Ok(said)
}

fn message_role(path: &str, value: &str) -> Result<PromptRole, ApiError> {
    let role: String = read(path, value, "a text")?;
    match role.as_str() {
        // `developer` is what OpenAI's newer models call `system`.
        "system" | "developer" => Ok(PromptRole::System),
        "user" => Ok(PromptRole::User),
        "assistant" => Ok(PromptRole::Assistant),
        "tool" => Ok(PromptRole::Tool),
        _ => {
            let message = format!(
                "`{path}` must be `system`, `developer`, `user`, `assistant` or `tool`, but is {}.",
                shown(value)
            );
            Err(ApiError::invalid("invalid_value", path, message))
        }
    }
}

/// A text, or parts of it with pictures between them.
fn content(path: &str, value: &str) -> Result<Content, ApiError> {
    let mut content = Content::default();
    if value.starts_with('"') {
        content.push_text(&read::<String>(path, value, "a text")?);
        return Ok(content);
    }
    let parts: Vec<&RawValue> = read(path, value, "a text or a list of parts")?;
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let part: Value = read(&path, part.get(), "a part")?;
        let kind = part["type"].as_str().unwrap_or_default();
        let piece = match kind {
            "text" => part["text"].as_str(),
            "refusal" => part["refusal"].as_str(),
            "image_url" => {
                let path = format!("{path}.image_url.url");
                let url = part["image_url"]["url"].as_str();
                let url =
                    url.ok_or_else(|| ApiError::invalid("invalid_type", &path, format!("`{path}` must be a text.")))?;
                content.push_url(&path, url)?;
                continue;
            }
            _ => {
                let message =
                    format!("Parts of the type {} are not supported: only `text` and `image_url`.", shown(kind));
                return Err(ApiError::invalid("unsupported_value", format!("{path}.type"), message));
            }
        };
        let Some(piece) = piece else {
            let message = format!("`{path}` must hold a text.");
            return Err(ApiError::invalid("invalid_type", path, message));
        };
        content.push_text(piece);
    }
    Ok(content)
}

fn calls(path: &str, value: &str) -> Result<Vec<ToolCall>, ApiError> {
    #[derive(Deserialize)]
    struct Call {
        id: String,
        function: Function,
    }
    #[derive(Deserialize)]
    struct Function {
        name: String,
        arguments: String,
    }
    let calls: Vec<Call> = read(path, value, "a list of calls of functions")?;
    let call = |Call { id, function }| ToolCall { id, name: function.name, arguments: function.arguments };
    Ok(calls.into_iter().map(call).collect())
}

//! The messages of a request: blocks of text, pictures, thoughts, calls and what tools answered.

use serde_json::value::RawValue;
use stoa_model::completion::{PromptMessage, PromptRole};
use stoa_model::tools::ToolCall;

use crate::outward::block::Block;
use crate::outward::content::{Content, check_images};
use crate::outward::error::ApiError;
use crate::outward::message::name_tools;
use crate::outward::request::{MAX_MESSAGES, read, shown};

pub(super) fn messages(value: &str) -> Result<Vec<PromptMessage>, ApiError> {
    let raw: Vec<&RawValue> = read("messages", value, "a list of messages")?;
    if raw.is_empty() {
        return Err(ApiError::invalid("empty_array", "messages", "`messages` must hold at least one message."));
    }
    if raw.len() > MAX_MESSAGES {
        let message = format!("`messages` holds {} messages; {MAX_MESSAGES} are the most.", raw.len());
        return Err(ApiError::invalid("array_above_max_length", "messages", message));
    }
    let mut messages = Vec::with_capacity(raw.len());
    for (index, value) in raw.iter().enumerate() {
        let message = Block::read(format!("messages[{index}]"), value.get(), "message")?;
        message.only(&["role", "content"])?;
        let role = message.text("role")?;
        match role.as_str() {
            "user" => user(&message, &mut messages)?,
            "assistant" => messages.push(assistant(&message)?),
            _ => {
                let path = message.at("role");
                let message = format!("`{path}` must be `user` or `assistant`, but is {}.", shown(&role));
                return Err(ApiError::invalid("invalid_value", path, message));
            }
        }
    }
    check_images("messages", &messages)?;
    name_tools(&mut messages);
    Ok(messages)
}

/// A text, or blocks of it.
pub(super) fn system(value: &str) -> Result<Option<PromptMessage>, ApiError> {
    let mut content = Content::default();
    for block in blocks("system".to_owned(), value)? {
        match block.kind.as_str() {
            "text" => text(&block, &mut content)?,
            _ => return Err(block.unknown("`system` is made of `text` alone")),
        }
    }
    Ok((!content.text.is_empty()).then(|| PromptMessage::new(PromptRole::System, content.text)))
}

/// What a user says, and what tools have answered, which are messages of their own.
fn user(message: &Block<'_>, messages: &mut Vec<PromptMessage>) -> Result<(), ApiError> {
    let mut content = Content::default();
    let before = messages.len();
    for block in content_of(message)? {
        match block.kind.as_str() {
            "text" => text(&block, &mut content)?,
            "image" => image(&block, &mut content)?,
            "tool_result" => {
                if !content.is_empty() {
                    let said = "what tools have answered must stand before everything else";
                    return Err(ApiError::invalid("invalid_value", &block.path, format!("`{}`: {said}.", block.path)));
                }
                messages.push(tool_result(&block)?);
            }
            _ => return Err(block.unknown("only `text`, `image` and `tool_result` are supported")),
        }
    }
    if !content.is_empty() || messages.len() == before {
        let Content { text, images, .. } = content;
        messages.push(PromptMessage { role: PromptRole::User, text, images, ..PromptMessage::default() });
    }
    Ok(())
}

fn tool_result(block: &Block<'_>) -> Result<PromptMessage, ApiError> {
    block.only(&["tool_use_id", "content", "is_error", "cache_control"])?;
    let mut content = Content::default();
    if block.optional::<bool>("is_error", "true or false")?.unwrap_or(false) {
        // The only way in which every model understands it.
        content.push_text("Error:");
    }
    if block.raw("content").is_some() {
        for block in content_of(block)? {
            match block.kind.as_str() {
                "text" => text(&block, &mut content)?,
                "image" => image(&block, &mut content)?,
                _ => return Err(block.unknown("only `text` and `image` are supported in what a tool has answered")),
            }
        }
    }
    Ok(PromptMessage {
        role: PromptRole::Tool,
        text: content.text,
        images: content.images,
        tool_call_id: Some(block.text("tool_use_id")?),
        ..PromptMessage::default()
    })
}

fn assistant(message: &Block<'_>) -> Result<PromptMessage, ApiError> {
    let mut content = Content::default();
    let mut said = PromptMessage { role: PromptRole::Assistant, ..PromptMessage::default() };
    for block in content_of(message)? {
        match block.kind.as_str() {
            "text" => text(&block, &mut content)?,
            "thinking" => {
                block.only(&["thinking", "signature", "cache_control"])?;
                said.reasoning.get_or_insert_default().push_str(&block.text("thinking")?);
            }
            // Sealed for Anthropic's own models; no other can read it.
            "redacted_thinking" => {}
            "tool_use" => {
                block.only(&["id", "name", "input", "caller", "cache_control"])?;
                let input: &RawValue = block.needed("input", "an object")?;
                if !input.get().starts_with('{') {
                    let path = block.at("input");
                    let message = format!("`{path}` must be an object, but is {}.", shown(input.get()));
                    return Err(ApiError::invalid("invalid_type", path, message));
                }
                let (id, name) = (block.text("id")?, block.text("name")?);
                said.tool_calls.push(ToolCall { id, name, arguments: input.get().to_owned() });
            }
            _ => return Err(block.unknown("only `text`, `thinking`, `redacted_thinking` and `tool_use` are supported")),
        }
    }
    said.text = content.text;
    Ok(said)
}

fn content_of<'a>(message: &Block<'a>) -> Result<Vec<Block<'a>>, ApiError> {
    let value = message.raw("content").ok_or_else(|| message.missing("content"))?;
    blocks(message.at("content"), value)
}

/// A text is a list of one block.
fn blocks(path: String, value: &str) -> Result<Vec<Block<'_>>, ApiError> {
    if value.starts_with('"') {
        let text: &RawValue = read(&path, value, "a text")?;
        return Ok(vec![Block::of_text(path, text)]);
    }
    let blocks: Vec<&RawValue> = read(&path, value, "a text or a list of blocks")?;
    blocks
        .into_iter()
        .enumerate()
        .map(|(index, block)| Block::read(format!("{path}[{index}]"), block.get(), ""))
        .collect()
}

fn text(block: &Block<'_>, content: &mut Content) -> Result<(), ApiError> {
    block.only(&["text", "cache_control", "citations"])?;
    content.push_text(&block.text("text")?);
    Ok(())
}

fn image(block: &Block<'_>, content: &mut Content) -> Result<(), ApiError> {
    block.only(&["source", "cache_control"])?;
    let value = block.raw("source").ok_or_else(|| block.missing("source"))?;
    let source = Block::read(block.at("source"), value, "")?;
    match source.kind.as_str() {
        "base64" => content.push_base64(&source.at("data"), &source.text("data")?),
        "url" => content.push_url(&source.at("url"), &source.text("url")?),
        _ => Err(source.unknown("an image comes as `base64`")),
    }
}

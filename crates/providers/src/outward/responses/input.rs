//! The input of a request: a text, or a list of messages, thoughts, calls and what they gave.

use serde_json::value::RawValue;
use stoa_model::completion::{PromptMessage, PromptRole};
use stoa_model::tools::ToolCall;

use crate::outward::block::Block;
use crate::outward::content::{Content, check_images};
use crate::outward::error::ApiError;
use crate::outward::message::name_tools;
use crate::outward::request::{MAX_MESSAGES, read, shown};

pub(super) fn input(value: &str) -> Result<Vec<PromptMessage>, ApiError> {
    if value.starts_with('"') {
        let text: String = read("input", value, "a text")?;
        return Ok(vec![PromptMessage::new(PromptRole::User, text)]);
    }
    let items: Vec<&RawValue> = read("input", value, "a text or a list of items")?;
    if items.is_empty() {
        return Err(ApiError::invalid("empty_array", "input", "`input` must hold at least one item."));
    }
    if items.len() > MAX_MESSAGES {
        let message = format!("`input` holds {} items; {MAX_MESSAGES} are the most.", items.len());
        return Err(ApiError::invalid("array_above_max_length", "input", message));
    }
    let mut turns = Turns::default();
    for (index, item) in items.iter().enumerate() {
        turns.push(&Block::read(format!("input[{index}]"), item.get(), "message")?)?;
    }
    let mut messages = turns.messages;
    // Thoughts that led to nothing are nothing to go on from.
    messages.retain(|message| {
        message.role != PromptRole::Assistant || !message.text.is_empty() || !message.tool_calls.is_empty()
    });
    check_images("input", &messages)?;
    name_tools(&mut messages);
    Ok(messages)
}

/// What an assistant thinks, says and calls are items of their own here, and one message to a model.
#[derive(Default)]
struct Turns {
    messages: Vec<PromptMessage>,
}

impl Turns {
    fn push(&mut self, item: &Block<'_>) -> Result<(), ApiError> {
        match item.kind.as_str() {
            "message" => self.message(item),
            "reasoning" => {
                let thought = thought(item)?;
                if !thought.is_empty() {
                    self.new_assistant().reasoning = Some(thought);
                }
                Ok(())
            }
            "function_call" => {
                item.only(&["id", "call_id", "name", "arguments", "status"])?;
                let (id, name, arguments) = (item.text("call_id")?, item.text("name")?, item.text("arguments")?);
                self.assistant().tool_calls.push(ToolCall { id, name, arguments });
                Ok(())
            }
            "function_call_output" => {
                item.only(&["id", "call_id", "output", "status"])?;
                let value = item.raw("output").ok_or_else(|| item.missing("output"))?;
                let Content { text, images, .. } = content(&item.at("output"), value)?;
                let tool_call_id = Some(item.text("call_id")?);
                let role = PromptRole::Tool;
                self.messages.push(PromptMessage { role, text, images, tool_call_id, ..PromptMessage::default() });
                Ok(())
            }
            "item_reference" => {
                Err(item.unknown("nothing is kept here that could be pointed to; send the item itself"))
            }
            _ => {
                Err(item
                    .unknown("only `message`, `reasoning`, `function_call` and `function_call_output` are supported"))
            }
        }
    }

    fn message(&mut self, item: &Block<'_>) -> Result<(), ApiError> {
        item.only(&["role", "content", "id", "status", "phase"])?;
        let role = match item.text("role")?.as_str() {
            "system" | "developer" => PromptRole::System,
            "user" => PromptRole::User,
            "assistant" => PromptRole::Assistant,
            other => {
                let path = item.at("role");
                let message =
                    format!("`{path}` must be `user`, `assistant`, `system` or `developer`, but is {}.", shown(other));
                return Err(ApiError::invalid("invalid_value", path, message));
            }
        };
        let value = item.raw("content").ok_or_else(|| item.missing("content"))?;
        let Content { text, images, .. } = content(&item.at("content"), value)?;
        if role != PromptRole::User && !images.is_empty() {
            return Err(ApiError::invalid("invalid_value", item.at("content"), "Only a `user` shows images."));
        }
        // The answer to the thought before it.
        if role == PromptRole::Assistant
            && let Some(last) = self.messages.last_mut()
            && last.role == PromptRole::Assistant
            && last.text.is_empty()
            && last.tool_calls.is_empty()
        {
            last.text = text;
            return Ok(());
        }
        self.messages.push(PromptMessage { role, text, images, ..PromptMessage::default() });
        Ok(())
    }

    fn assistant(&mut self) -> &mut PromptMessage {
        if self.messages.last().is_none_or(|last| last.role != PromptRole::Assistant) {
            return self.new_assistant();
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }

    fn new_assistant(&mut self) -> &mut PromptMessage {
        self.messages.push(PromptMessage { role: PromptRole::Assistant, ..PromptMessage::default() });
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }
}

/// A thought, in full or else summed up. One that is sealed nobody here can read.
fn thought(item: &Block<'_>) -> Result<String, ApiError> {
    item.only(&["id", "summary", "content", "encrypted_content", "status"])?;
    for name in ["content", "summary"] {
        let parts: Vec<&RawValue> = item.optional(name, "a list of parts")?.unwrap_or_default();
        let mut thought = Content::default();
        for (index, part) in parts.iter().enumerate() {
            let part = Block::read(format!("{}[{index}]", item.at(name)), part.get(), "")?;
            match part.kind.as_str() {
                "reasoning_text" | "summary_text" => thought.push_text(&part.text("text")?),
                _ => return Err(part.unknown("a thought is made of `reasoning_text` or `summary_text`")),
            }
        }
        if !thought.text.is_empty() {
            return Ok(thought.text);
        }
    }
    Ok(String::new())
}

fn content(path: &str, value: &str) -> Result<Content, ApiError> {
    let mut content = Content::default();
    if value.starts_with('"') {
        content.push_text(&read::<String>(path, value, "a text")?);
        return Ok(content);
    }
    let parts: Vec<&RawValue> = read(path, value, "a text or a list of parts")?;
    for (index, part) in parts.iter().enumerate() {
        let part = Block::read(format!("{path}[{index}]"), part.get(), "")?;
        match part.kind.as_str() {
            "input_text" | "output_text" => content.push_text(&part.text("text")?),
            "refusal" => content.push_text(&part.text("refusal")?),
            "input_image" => {
                part.only(&["image_url", "detail"])?;
                content.push_url(&part.at("image_url"), &part.text("image_url")?)?;
            }
            _ => {
                return Err(part.unknown("only `input_text`, `input_image`, `output_text` and `refusal` are supported"));
            }
        }
    }
    Ok(content)
}

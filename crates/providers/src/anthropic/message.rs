//! The turns of a prompt as Anthropic writes them.

use serde::Serialize;
use stoa_model::completion::{CompletionError, PromptMessage};
use stoa_model::json::Json;

use crate::parts::{self, Part};
use crate::turns::{Turn, arguments};

#[derive(Serialize)]
pub(super) struct WireMessage<'a> {
    role: &'static str,
    content: Vec<WireBlock<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireBlock<'a> {
    Text { text: &'a str },
    Image { source: WireSource },
    ToolUse { id: &'a str, name: &'a str, input: Json },
    ToolResult { tool_use_id: &'a str, content: Vec<WireBlock<'a>> },
}

#[derive(Serialize)]
struct WireSource {
    #[serde(rename = "type")]
    kind: &'static str,
    media_type: &'static str,
    data: String,
}

/// A turn in which nothing is said is left out: this protocol knows no empty text. Thoughts are left out too, for only
/// those are taken back that Anthropic has signed.
pub(super) fn message<'a>(turn: &Turn<'a>) -> Result<Option<WireMessage<'a>>, CompletionError> {
    let mut content = Vec::new();
    let (answers, rest) = turn.answers_first();
    for answer in answers {
        let tool_use_id = answer.tool_call_id.as_deref().unwrap_or_default();
        content.push(WireBlock::ToolResult { tool_use_id, content: blocks(answer) });
    }
    for message in rest {
        content.extend(blocks(message));
        for call in &message.tool_calls {
            content.push(WireBlock::ToolUse { id: &call.id, name: &call.name, input: arguments(call)? });
        }
    }
    let role = if turn.is_assistant { "assistant" } else { "user" };
    Ok((!content.is_empty()).then_some(WireMessage { role, content }))
}

fn blocks(message: &PromptMessage) -> Vec<WireBlock<'_>> {
    let block = |part| match part {
        // A text of blanks alone is refused there.
        Part::Text(text) => (!text.trim().is_empty()).then_some(WireBlock::Text { text }),
        Part::Image(image) => Some(WireBlock::Image {
            source: WireSource { kind: "base64", media_type: image.kind().media_type(), data: image.to_base64() },
        }),
    };
    parts::of(message).into_iter().filter_map(block).collect()
}

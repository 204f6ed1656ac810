//! The turns of a prompt as Gemini writes them.

use serde::Serialize;
use stoa_model::completion::{CompletionError, PromptMessage, PromptRole};
use stoa_model::json::Json;

use crate::parts::{self, Part};
use crate::turns::{Turn, arguments};

/// What Google's documentation lets stand for the seal of a thought that nobody has kept:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
pub(super) struct WireContent<'a> {
    role: &'static str,
    parts: Vec<WirePart<'a>>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum WirePart<'a> {
    Text {
        text: &'a str,
    },
    Image {
        inline_data: WireData,
    },
    Call {
        function_call: WireCall<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'static str>,
    },
    Answer {
        function_response: WireAnswer<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireData {
    mime_type: &'static str,
    data: String,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    name: &'a str,
    args: Json,
}

#[derive(Serialize)]
struct WireAnswer<'a> {
    id: &'a str,
    name: &'a str,
    response: WireOutput<'a>,
}

/// What a tool has answered must be an object here.
#[derive(Serialize)]
struct WireOutput<'a> {
    output: &'a str,
}

/// A turn in which nothing is said is left out: this protocol knows no empty text. `signed`: whether the model asks for the
/// seals of its thoughts.
pub(super) fn content<'a>(turn: &Turn<'a>, signed: bool) -> Result<Option<WireContent<'a>>, CompletionError> {
    let mut parts = Vec::new();
    for message in &turn.messages {
        if message.role == PromptRole::Tool {
            parts.push(answer(message)?);
            parts.extend(said(message).into_iter().filter(|part| matches!(part, WirePart::Image { .. })));
            continue;
        }
        parts.extend(said(message));
        for (index, call) in message.tool_calls.iter().enumerate() {
            parts.push(WirePart::Call {
                function_call: WireCall { id: &call.id, name: &call.name, args: arguments(call)? },
                // Of calls side by side, the first alone carries it.
                thought_signature: (signed && index == 0).then_some(NO_SIGNATURE),
            });
        }
    }
    let role = if turn.is_assistant { "model" } else { "user" };
    Ok((!parts.is_empty()).then_some(WireContent { role, parts }))
}

fn answer(message: &PromptMessage) -> Result<WirePart<'_>, CompletionError> {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let name = message.tool_name.as_deref().ok_or_else(|| CompletionError::Invalid {
        detail: format!("no call before it has the id `{id}` that a tool answers to"),
    })?;
    let response = WireOutput { output: &message.text };
    Ok(WirePart::Answer { function_response: WireAnswer { id, name, response } })
}

fn said(message: &PromptMessage) -> Vec<WirePart<'_>> {
    let part = |part| match part {
        Part::Text(text) => WirePart::Text { text },
        Part::Image(image) => {
            WirePart::Image { inline_data: WireData { mime_type: image.kind().media_type(), data: image.to_base64() } }
        }
    };
    parts::of(message).into_iter().map(part).collect()
}

//! The messages of a prompt as the items of a request.

use serde::Serialize;
use stoa_model::completion::{PromptMessage, PromptRole};

use crate::parts::{self, Part};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireItem<'a> {
    Message { role: &'static str, content: Vec<WirePart<'a>> },
    FunctionCall { call_id: &'a str, name: &'a str, arguments: &'a str },
    FunctionCallOutput { call_id: &'a str, output: WireOutput<'a> },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WireOutput<'a> {
    Text(&'a str),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String, detail: &'static str },
    OutputText { text: &'a str },
}

/// Thoughts are left out: they are taken back only as OpenAI has sealed them, and nobody has kept that.
pub(super) fn items(messages: &[PromptMessage]) -> Vec<WireItem<'_>> {
    let mut items = Vec::with_capacity(messages.len());
    for message in messages {
        match message.role {
            PromptRole::Tool => items.push(WireItem::FunctionCallOutput {
                call_id: message.tool_call_id.as_deref().unwrap_or_default(),
                output: if message.images.is_empty() {
                    WireOutput::Text(&message.text)
                } else {
                    WireOutput::Parts(shown(message))
                },
            }),
            PromptRole::Assistant => {
                if !message.text.is_empty() {
                    let content = vec![WirePart::OutputText { text: &message.text }];
                    items.push(WireItem::Message { role: "assistant", content });
                }
                items.extend(message.tool_calls.iter().map(|call| WireItem::FunctionCall {
                    call_id: &call.id,
                    name: &call.name,
                    arguments: &call.arguments,
                }));
            }
            PromptRole::System | PromptRole::User => {
                items.push(WireItem::Message { role: message.role.as_str(), content: shown(message) });
            }
        }
    }
    items
}

fn shown(message: &PromptMessage) -> Vec<WirePart<'_>> {
    let part = |part| match part {
        Part::Text(text) => WirePart::InputText { text },
        Part::Image(image) => WirePart::InputImage { image_url: image.to_data_url(), detail: "auto" },
    };
    parts::of(message).into_iter().map(part).collect()
}

//! `conversations.json` of ChatGPT's export: a list of conversations, each with a `mapping` of nodes to their parents.
//!
//! There is no description by its maker; this follows <https://help.openai.com/en/articles/7260999> (what is in the file) and
//! what public converters read in it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use stoa_model::completion::Parameters;
use stoa_model::conversation::MessageRole;

use super::tree::{self, Node, Of, Says};
use crate::origin::Origins;
use crate::piece::{ConversationPiece, Kind, Piece, PiecePart, Why};

const SOURCE: &str = "chatgpt";

#[derive(Deserialize)]
struct Conversation {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    create_time: Option<Value>,
    #[serde(default)]
    update_time: Option<Value>,
    mapping: HashMap<String, MappingNode>,
    #[serde(default)]
    current_node: Option<String>,
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    is_archived: Option<bool>,
    #[serde(default)]
    is_starred: Option<bool>,
}

#[derive(Deserialize)]
struct MappingNode {
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    author: Author,
    #[serde(default)]
    create_time: Option<Value>,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    recipient: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    role: String,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    parts: Vec<Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    thoughts: Vec<Thought>,
}

#[derive(Deserialize)]
struct Thought {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    content: String,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    model_slug: Option<String>,
    #[serde(default)]
    is_visually_hidden_from_conversation: Option<bool>,
}

/// `None` when this is no such conversation.
pub(crate) fn conversation(origins: Origins, json: &[u8]) -> Option<Vec<Piece>> {
    let read: Conversation = serde_json::from_slice(json).ok()?;
    let title = super::title(read.title.as_deref());
    let created_at = super::time(read.create_time.as_ref());
    let key = read.conversation_id.or(read.id).unwrap_or_else(|| format!("{title} {created_at:?}"));
    let mut pieces = Vec::new();
    let mut nodes = Vec::with_capacity(read.mapping.len());
    for (key, node) in read.mapping {
        let says = node.message.and_then(|message| says(message, &title, &mut pieces));
        nodes.push(Node { key, parent: node.parent, says });
    }
    let id = origins.id("conversation", SOURCE, &key);
    let of = Of { origins, source: SOURCE, conversation: id, key: &key };
    let (messages, leaf) = tree::messages(of, nodes, read.current_node.as_deref());
    if messages.is_empty() {
        return Some(vec![Piece::left_out(Kind::Conversation, Why::Empty, title)]);
    }
    let head = ConversationPiece {
        id,
        original: None,
        title,
        pinned: read.is_starred.unwrap_or(false),
        archived: read.is_archived.unwrap_or(false),
        project: None,
        assistant: None,
        thread: None,
        tags: Vec::new(),
        model: None,
        parameters: Parameters::default(),
        role: String::new(),
        leaf,
        created_at,
        updated_at: super::time(read.update_time.as_ref()),
        chain: false,
    };
    pieces.push(Piece::Conversation(Box::new(head)));
    pieces.extend(messages);
    Some(pieces)
}

fn says(message: Message, title: &str, pieces: &mut Vec<Piece>) -> Option<Says> {
    if message.metadata.is_visually_hidden_from_conversation == Some(true) {
        return None;
    }
    let role = match message.author.role.as_str() {
        "user" => MessageRole::User,
        "assistant" => MessageRole::Assistant,
        // What tools answered. Instructions of the maker are no loss.
        "tool" => {
            pieces.push(Piece::left_out(Kind::Other, Why::NotSupported, title));
            return None;
        }
        _ => return None,
    };
    let parts = parts(message.content, message.recipient.as_deref(), title, pieces);
    if parts.iter().all(|part| part.text().trim().is_empty()) {
        return None;
    }
    let model = if role == MessageRole::Assistant { super::model(message.metadata.model_slug) } else { None };
    Some(Says { role, parts, model, created_at: super::time(message.create_time.as_ref()) })
}

fn parts(content: Content, recipient: Option<&str>, title: &str, pieces: &mut Vec<Piece>) -> Vec<PiecePart> {
    let to_everybody = recipient.is_none_or(|recipient| recipient == "all");
    match content.content_type.as_str() {
        "text" | "multimodal_text" if to_everybody => {
            let mut texts = Vec::new();
            for part in content.parts {
                match part {
                    Value::String(text) => texts.push(without_marks(&text)),
                    Value::Object(part) => {
                        let kind = part.get("content_type").and_then(Value::as_str).unwrap_or_default();
                        match part.get("text").and_then(Value::as_str) {
                            Some(text) if kind.contains("transcription") => texts.push(text.to_owned()),
                            _ if kind == "image_asset_pointer" => {
                                pieces.push(Piece::left_out(Kind::Picture, Why::NotInFile, title));
                            }
                            _ => pieces.push(Piece::left_out(Kind::Other, Why::NotSupported, title)),
                        }
                    }
                    _ => {}
                }
            }
            texts.into_iter().filter(|text| !text.is_empty()).map(PiecePart::Text).collect()
        }
        "code" if to_everybody => {
            let language = content.language.filter(|language| language != "unknown").unwrap_or_default();
            let code = content.text.unwrap_or_default();
            vec![PiecePart::Text(format!("```{language}\n{code}\n```"))]
        }
        "thoughts" => {
            let thoughts = content.thoughts.iter().map(|thought| match thought.summary.trim() {
                "" => thought.content.clone(),
                summary => format!("**{summary}**\n\n{}", thought.content),
            });
            let text = thoughts.collect::<Vec<_>>().join("\n\n");
            vec![PiecePart::Reasoning { text, duration_ms: 0 }]
        }
        // A note of how long it thought, and instructions of the user's, which are no part of a conversation.
        "reasoning_recap" | "user_editable_context" | "model_editable_context" => Vec::new(),
        _ => {
            pieces.push(Piece::left_out(Kind::Other, Why::NotSupported, title));
            Vec::new()
        }
    }
}

/// Without the marks of sources, which lead nowhere outside of the maker's page.
fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{e200}') {
        out.push_str(before);
        match after.split_once('\u{e201}') {
            Some((_, after)) => rest = after,
            None => return out + after,
        }
    }
    out + rest
}

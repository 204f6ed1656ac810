//! The export of chats of Open WebUI: a list of chats, each with a `history` of messages and their parents.
//!
//! After <https://docs.openwebui.com/features/chat-conversations/data-controls/import-export/>.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use stoa_model::conversation::MessageRole;

use super::tree::{self, Node, Of, Says};
use crate::origin::Origins;
use crate::piece::{ConversationPiece, Kind, Piece, PiecePart, Why};

const SOURCE: &str = "open-webui";

#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    chat: Chat,
    #[serde(default)]
    created_at: Option<Value>,
    #[serde(default)]
    updated_at: Option<Value>,
    #[serde(default)]
    archived: Option<bool>,
    #[serde(default)]
    pinned: Option<bool>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Chat {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    history: Option<History>,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    params: Option<Value>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    timestamp: Option<Value>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    messages: HashMap<String, Message>,
    #[serde(default, rename = "currentId")]
    current: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "parentId")]
    parent: Option<String>,
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    timestamp: Option<Value>,
    #[serde(default)]
    files: Option<Vec<Attached>>,
}

#[derive(Deserialize)]
struct Attached {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// `None` when this is no such chat.
pub(crate) fn conversation(origins: Origins, json: &[u8]) -> Option<Vec<Piece>> {
    let read: Export = serde_json::from_slice(json).ok()?;
    let title = super::title(read.title.as_deref().or(read.chat.title.as_deref()));
    let created_at = super::time(read.created_at.as_ref()).or_else(|| super::time(read.chat.timestamp.as_ref()));
    let key = read.id.or(read.chat.id).filter(|id| !id.is_empty()).unwrap_or_else(|| format!("{title} {created_at:?}"));
    let (messages, leaf) = match read.chat.history {
        Some(History { messages, current }) if !messages.is_empty() => (messages.into_iter().collect(), current),
        _ => in_a_row(read.chat.messages),
    };
    let mut pieces = Vec::new();
    let mut nodes = Vec::with_capacity(messages.len());
    for (name, message) in messages {
        let place = Place { origins, conversation: &key, message: &name, title: &title };
        let parent = message.parent.clone();
        let says = says(place, message, &mut pieces);
        nodes.push(Node { key: name, parent, says });
    }
    let id = origins.id("conversation", SOURCE, &key);
    let of = Of { origins, source: SOURCE, conversation: id, key: &key };
    let (messages, leaf) = tree::messages(of, nodes, leaf.as_deref());
    if messages.is_empty() {
        return Some(vec![Piece::left_out(Kind::Conversation, Why::Empty, title)]);
    }
    let params = read.chat.params;
    let system = params.as_ref().and_then(|params| params.get("system")).and_then(Value::as_str).map(str::to_owned);
    let head = ConversationPiece {
        id,
        original: None,
        title,
        pinned: read.pinned.unwrap_or(false),
        archived: read.archived.unwrap_or(false),
        project: None,
        assistant: None,
        thread: None,
        tags: super::tags(read.meta.unwrap_or_default().tags),
        model: None,
        parameters: super::parameters(params.as_ref()),
        role: system.or(read.chat.system).unwrap_or_default(),
        leaf,
        created_at,
        updated_at: super::time(read.updated_at.as_ref()),
        chain: false,
    };
    pieces.push(Piece::Conversation(Box::new(head)));
    pieces.extend(messages);
    Some(pieces)
}

/// Chats of early versions are a list.
fn in_a_row(list: Vec<Message>) -> (Vec<(String, Message)>, Option<String>) {
    let mut before: Option<String> = None;
    let mut messages = Vec::with_capacity(list.len());
    for (place, mut message) in list.into_iter().enumerate() {
        let key = message.id.clone().unwrap_or_else(|| place.to_string());
        message.parent = before.replace(key.clone());
        messages.push((key, message));
    }
    (messages, before)
}

#[derive(Clone, Copy)]
struct Place<'a> {
    origins: Origins,
    conversation: &'a str,
    message: &'a str,
    title: &'a str,
}

fn says(place: Place<'_>, message: Message, pieces: &mut Vec<Piece>) -> Option<Says> {
    let role = match message.role.as_str() {
        "user" => MessageRole::User,
        "assistant" => MessageRole::Assistant,
        "system" => return None,
        _ => {
            pieces.push(Piece::left_out(Kind::Message, Why::NotSupported, place.title));
            return None;
        }
    };
    let text = match message.content {
        Value::String(text) => text,
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n\n")
        }
        _ => String::new(),
    };
    let mut parts = with_thoughts(text);
    for (number, file) in message.files.unwrap_or_default().into_iter().enumerate() {
        let name = file.name.clone().unwrap_or_else(|| place.title.to_owned());
        if file.r#type != "image" {
            pieces.push(Piece::left_out(Kind::Other, Why::NotSupported, name));
            continue;
        }
        let Some(bytes) = file.url.as_deref().and_then(data_url) else {
            pieces.push(Piece::left_out(Kind::Picture, Why::NotInFile, name));
            continue;
        };
        let key = format!("{}/{}/{number}", place.conversation, place.message);
        let id = place.origins.id("file", SOURCE, &key);
        let name = file.name.unwrap_or_default();
        pieces.push(Piece::File { id, original: None, name: name.clone(), bytes });
        parts.push(PiecePart::Image { id, original: None, name });
    }
    let empty = parts.iter().all(|part| !matches!(part, PiecePart::Image { .. }) && part.text().trim().is_empty());
    let model = if role == MessageRole::Assistant { super::model(message.model) } else { None };
    (!empty).then(|| Says { role, parts, model, created_at: super::time(message.timestamp.as_ref()) })
}

fn data_url(url: &str) -> Option<Vec<u8>> {
    let (head, data) = url.strip_prefix("data:image/")?.split_once(',')?;
    head.ends_with(";base64").then(|| STANDARD.decode(data).ok()).flatten()
}

/// What was thought stands at the beginning of the text, folded in.
fn with_thoughts(text: String) -> Vec<PiecePart> {
    let thought = || {
        let (head, rest) = text.trim_start().strip_prefix("<details type=\"reasoning\"")?.split_once('>')?;
        let (thought, said) = rest.split_once("</details>")?;
        let thought = thought.split_once("</summary>").map_or(thought, |(_, thought)| thought);
        let lines = thought.trim().lines().map(|line| {
            let line = unescaped(line);
            line.strip_prefix("> ").or_else(|| line.strip_prefix('>')).unwrap_or(&line).to_owned()
        });
        let seconds: Option<f64> =
            head.split_once("duration=\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
        let seconds = seconds.filter(|seconds| (0.0..1_000_000.0).contains(seconds)).unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within these bounds")]
        let duration_ms = (seconds * 1_000.0) as u64;
        let text = lines.collect::<Vec<_>>().join("\n");
        Some((PiecePart::Reasoning { text, duration_ms }, said.trim_start().to_owned()))
    };
    match thought() {
        Some((thought, said)) => vec![thought, PiecePart::Text(said)],
        None if text.is_empty() => Vec::new(),
        None => vec![PiecePart::Text(text)],
    }
}

fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    named.into_iter().fold(text.to_owned(), |text, (name, letter)| text.replace(name, letter))
}

//! The exports of LobeChat: tables of sessions or agents, topics and messages under `state` (kept in the browser) or `data`
//! (kept in a database), in any order.
//!
//! After <https://lobehub.com/docs/usage/features/database> and the names of the tables in its published database schema.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use stoa_model::assistant::{AssistantProfile, MAX_DESCRIPTION, MAX_HISTORY, MAX_NAME};
use stoa_model::completion::Parameters;
use stoa_model::conversation::{MessageRole, MessageStatus};
use stoa_model::{AssistantId, ConversationId};

use crate::origin::Origins;
use crate::piece::{ConversationPiece, Kind, MessagePiece, Piece, PiecePart, Why};

const SOURCE: &str = "lobechat";
/// Conversations, and links between sessions and agents, that are remembered.
const REMEMBERED: usize = 100_000;

pub(crate) fn is_table(name: &str) -> bool {
    matches!(
        name,
        "messages" | "topics" | "sessions" | "agents" | "agentsToSessions" | "messagePlugins" | "plugins" | "files"
    )
}

/// What one table says of another.
#[derive(Debug, Default)]
pub(crate) struct State {
    agents: HashMap<String, String>,
    begun: HashSet<ConversationId>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default, rename = "createdAt")]
    created_at: Option<Value>,
    #[serde(default, rename = "sessionId")]
    session: Option<String>,
    #[serde(default, rename = "agentId")]
    agent: Option<String>,
    #[serde(default, rename = "topicId")]
    topic: Option<String>,
    #[serde(default, rename = "threadId")]
    thread: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    extra: Option<Extra>,
    #[serde(default)]
    reasoning: Option<Reasoning>,
    #[serde(default)]
    files: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct Extra {
    #[serde(default, rename = "fromModel")]
    model: Option<String>,
    #[serde(default, rename = "fromProvider")]
    provider: Option<String>,
}

#[derive(Deserialize)]
struct Reasoning {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    duration: Option<u64>,
}

#[derive(Deserialize)]
struct Topic {
    id: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    favorite: Option<Value>,
    #[serde(default, rename = "sessionId")]
    session: Option<String>,
    #[serde(default, rename = "agentId")]
    agent: Option<String>,
    #[serde(default, rename = "createdAt")]
    created_at: Option<Value>,
    #[serde(default, rename = "updatedAt")]
    updated_at: Option<Value>,
}

/// A session of the browser has what it says in `meta` and `config`; an agent of the database has it in itself.
#[derive(Deserialize)]
struct Agent {
    id: String,
    #[serde(default)]
    meta: Option<Box<Face>>,
    #[serde(default)]
    config: Option<Box<Config>>,
    #[serde(default)]
    pinned: Option<Value>,
    #[serde(flatten)]
    face: Face,
    #[serde(flatten)]
    own: Config,
    #[serde(default, rename = "createdAt")]
    created_at: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Face {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    avatar: Option<String>,
    #[serde(default, rename = "backgroundColor")]
    background: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default, rename = "systemRole")]
    role: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    params: Option<Value>,
    #[serde(default, rename = "openingMessage")]
    opening_message: Option<String>,
    #[serde(default, rename = "openingQuestions")]
    opening_questions: Option<Vec<String>>,
    #[serde(default, rename = "chatConfig")]
    chat: Option<ChatConfig>,
}

#[derive(Default, Deserialize)]
struct ChatConfig {
    #[serde(default, rename = "historyCount")]
    history: Option<u32>,
    #[serde(default, rename = "enableHistoryCount")]
    bounded: Option<bool>,
    #[serde(default, rename = "inputTemplate")]
    template: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "agentId")]
    agent: String,
    #[serde(rename = "sessionId")]
    session: String,
}

impl State {
    /// `None` when a row cannot be read.
    pub(crate) fn read(&mut self, origins: Origins, table: &str, json: &[u8]) -> Option<Vec<Piece>> {
        Some(match table {
            "messages" => self.message(origins, serde_json::from_slice(json).ok()?),
            "topics" => self.topic(origins, serde_json::from_slice(json).ok()?),
            "sessions" | "agents" => agent(origins, table, serde_json::from_slice(json).ok()?).into_iter().collect(),
            "agentsToSessions" => {
                let link: Link = serde_json::from_slice(json).ok()?;
                if self.agents.len() < REMEMBERED {
                    self.agents.insert(link.session, link.agent);
                }
                Vec::new()
            }
            _ => vec![Piece::left_out(Kind::Other, Why::NotSupported, table)],
        })
    }

    fn assistant(&self, origins: Origins, session: Option<String>, agent: Option<String>) -> Option<AssistantId> {
        let key = agent.or_else(|| session.map(|session| self.agents.get(&session).cloned().unwrap_or(session)))?;
        // What comes with every account is no assistant of anybody's.
        (key != "inbox").then(|| assistant_id(origins, &key))
    }

    fn message(&mut self, origins: Origins, message: Message) -> Vec<Piece> {
        let text = message.content.unwrap_or_default();
        let role = match message.role.as_str() {
            "user" => MessageRole::User,
            "assistant" => MessageRole::Assistant,
            _ => return vec![Piece::left_out(Kind::Other, Why::NotSupported, super::first_words(&text))],
        };
        let mut pieces: Vec<Piece> = message
            .files
            .unwrap_or_default()
            .iter()
            .map(|_| Piece::left_out(Kind::Picture, Why::NotInFile, super::first_words(&text)))
            .collect();
        let thought = message.reasoning.and_then(|thought| Some((thought.content?, thought.duration)));
        let thought = thought.filter(|(text, _)| !text.trim().is_empty());
        let thought = thought.map(|(text, ms)| PiecePart::Reasoning { text, duration_ms: ms.unwrap_or(0) });
        let said = Some(&text).filter(|text| !text.trim().is_empty());
        let parts: Vec<PiecePart> = thought.into_iter().chain(said.cloned().map(PiecePart::Text)).collect();
        if parts.is_empty() {
            pieces.push(Piece::left_out(Kind::Message, Why::Empty, message.id));
            return pieces;
        }
        // Side threads are conversations of their own; what is in no topic is the conversation of its session.
        let (key, titled_later) = match (&message.thread, &message.topic) {
            (Some(thread), _) => (format!("thread:{thread}"), false),
            (None, Some(topic)) => (topic_key(topic), true),
            (None, None) => {
                let of = message.agent.as_deref().or(message.session.as_deref()).unwrap_or("inbox");
                (format!("session:{of}"), false)
            }
        };
        let conversation = conversation_id(origins, &key);
        let created_at = super::time(message.created_at.as_ref());
        if self.begun.len() >= REMEMBERED {
            self.begun.clear();
        }
        if self.begun.insert(conversation) {
            let assistant = self.assistant(origins, message.session, message.agent);
            let title = if titled_later { String::new() } else { super::first_words(&text) };
            pieces.push(head(conversation, title, assistant, created_at, None, false));
        }
        let extra = message.extra.unwrap_or_default();
        let answers = role == MessageRole::Assistant;
        let model = named(message.model.or(extra.model), message.provider.or(extra.provider)).filter(|_| answers);
        pieces.push(Piece::Message(Box::new(MessagePiece {
            id: origins.id("message", SOURCE, &message.id),
            conversation,
            parent: None,
            role,
            parts,
            status: MessageStatus::Complete,
            model,
            stand_in: None,
            assistant: None,
            parameters: None,
            finish_reason: None,
            usage: None,
            timings: None,
            error: None,
            translation: None,
            summary: None,
            created_at,
        })));
        pieces
    }

    fn topic(&mut self, origins: Origins, topic: Topic) -> Vec<Piece> {
        let conversation = conversation_id(origins, &topic_key(&topic.id));
        let pinned = truth(topic.favorite.as_ref());
        let assistant = self.assistant(origins, topic.session, topic.agent);
        let title = super::title(topic.title.as_deref());
        let (created_at, updated_at) = (super::time(topic.created_at.as_ref()), super::time(topic.updated_at.as_ref()));
        // Begun with its first message, for topics without any are nothing; what it is called is learnt now.
        vec![head(conversation, title, assistant, created_at, updated_at, pinned)]
    }
}

fn topic_key(topic: &str) -> String {
    format!("topic:{topic}")
}

fn conversation_id(origins: Origins, key: &str) -> ConversationId {
    origins.id("conversation", SOURCE, key)
}

fn assistant_id(origins: Origins, key: &str) -> AssistantId {
    origins.id("assistant", SOURCE, key)
}

fn head(
    id: ConversationId,
    title: String,
    assistant: Option<AssistantId>,
    created_at: Option<stoa_model::Timestamp>,
    updated_at: Option<stoa_model::Timestamp>,
    pinned: bool,
) -> Piece {
    Piece::Conversation(Box::new(ConversationPiece {
        id,
        original: None,
        title,
        pinned,
        archived: false,
        project: None,
        assistant: assistant.map(|id| (id, None)),
        thread: None,
        tags: Vec::new(),
        model: None,
        parameters: Parameters::default(),
        role: String::new(),
        leaf: None,
        created_at,
        updated_at,
        chain: true,
    }))
}

/// Nothing for sessions of the database, whose agents say everything, and for what has neither a name nor a role.
fn agent(origins: Origins, table: &str, agent: Agent) -> Option<Piece> {
    if agent.id == "inbox" || table == "sessions" && agent.config.is_none() {
        return None;
    }
    let face = agent.meta.map_or(agent.face, |face| *face);
    let config = agent.config.map_or(agent.own, |config| *config);
    let role = config.role.unwrap_or_default();
    let name = super::one_line(face.title.as_deref().unwrap_or_default(), MAX_NAME);
    if role.trim().is_empty() && name.is_empty() {
        return None;
    }
    let chat = config.chat.unwrap_or_default();
    let avatar = face.avatar.unwrap_or_default();
    let colour = face.background.filter(|colour| is_colour(colour)).unwrap_or_default();
    let profile = AssistantProfile {
        name: if name.is_empty() { super::first_words(&role) } else { name },
        description: super::one_line(&face.description.unwrap_or_default(), MAX_DESCRIPTION),
        // An emoji; addresses of pictures are none.
        avatar: if avatar.chars().count() <= 24 && !avatar.contains('/') { avatar } else { String::new() },
        background: colour,
        tags: super::tags(face.tags.unwrap_or_default()),
        opening_message: config.opening_message.unwrap_or_default(),
        opening_questions: config.opening_questions.unwrap_or_default().into_iter().take(8).collect(),
        role,
        input_template: chat
            .template
            .map(|text| text.replace("{{ text }}", "{{text}}"))
            .filter(|text| text.contains("{{text}}"))
            .unwrap_or_default(),
        model: named(config.model, config.provider),
        parameters: super::parameters(config.params.as_ref()),
        history_messages: chat.history.filter(|count| chat.bounded != Some(false) && (1..=MAX_HISTORY).contains(count)),
    };
    Some(Piece::Assistant {
        id: assistant_id(origins, &agent.id),
        original: None,
        folder: None,
        picture: None,
        profile: Box::new(profile),
        pinned: truth(agent.pinned.as_ref()),
        created_at: super::time(agent.created_at.as_ref()),
    })
}

/// As models are named here.
fn named(model: Option<String>, provider: Option<String>) -> Option<String> {
    let model = super::model(model)?;
    Some(super::model(provider).map_or_else(|| model.clone(), |provider| format!("{provider}/{model}")))
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Written as a truth value, or as a number.
fn truth(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.as_bool() == Some(true) || value.as_u64() == Some(1))
}

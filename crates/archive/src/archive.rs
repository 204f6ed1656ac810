//! Stoa's own archive: a line that says what it is, and then one entry a line. `docs/reference/archive.md` describes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stoa_model::assistant::{Assistant, AssistantFolder, AssistantProfile};
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::{
    Conversation, Failure, Message, MessageRole, MessageStatus, Part, Summary, Timings, Translation,
};
use stoa_model::file::File;
use stoa_model::project::{Project, ProjectProfile};
use stoa_model::prompt::{Prompt, PromptProfile};
use stoa_model::{AssistantFolderId, AssistantId, ConversationId, FileId, MessageId, ProjectId, PromptId, Timestamp};

pub const FORMAT: &str = "stoa.archive";
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    pub format: &'static str,
    pub version: u32,
    pub exported_at: Timestamp,
    /// Whose it is, as they call themselves.
    pub name: String,
}

impl Header {
    pub const fn new(exported_at: Timestamp, name: String) -> Self {
        Self { format: FORMAT, version: VERSION, exported_at, name }
    }
}

/// Every line after the first. What is named by its id comes before, but for messages, which may come before the one that they
/// answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    Project(Box<ArchivedProject>),
    AssistantFolder(ArchivedAssistantFolder),
    Assistant(Box<ArchivedAssistant>),
    Prompt(Box<ArchivedPrompt>),
    Conversation(Box<ArchivedConversation>),
    File(ArchivedFile),
    Message(Box<ArchivedMessage>),
    /// The last line: without it the archive was cut off.
    End {
        conversations: u64,
        messages: u64,
        files: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedProject {
    pub id: ProjectId,
    pub profile: ProjectProfile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A folder of assistants, before what lies in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedAssistantFolder {
    pub id: AssistantFolderId,
    pub name: String,
    #[serde(default)]
    pub collapsed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivedAssistant {
    pub id: AssistantId,
    pub profile: AssistantProfile,
    #[serde(default)]
    pub pinned: bool,
    /// The folder that it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_id: Option<AssistantFolderId>,
    /// The bytes of the picture that is its face, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedPrompt {
    pub id: PromptId,
    pub profile: PromptProfile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivedConversation {
    pub id: ConversationId,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub pinned: bool,
    #[serde(default)]
    pub archived: bool,
    pub project_id: Option<ProjectId>,
    pub assistant_id: Option<AssistantId>,
    /// Where it begins, because it is a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ArchivedThread>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub model: Option<String>,
    #[serde(default)]
    pub parameters: Parameters,
    #[serde(default)]
    pub role: String,
    pub leaf_id: Option<MessageId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The message that a thread begins at. Its conversation is whole before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedThread {
    pub conversation_id: ConversationId,
    pub message_id: MessageId,
    #[serde(default)]
    pub with_context: bool,
}

/// A picture, before the first message that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedFile {
    pub id: FileId,
    pub name: String,
    pub media_type: String,
    /// The bytes, in base64.
    pub data: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchivedMessage {
    pub id: MessageId,
    pub conversation_id: ConversationId,
    pub parent_id: Option<MessageId>,
    pub role: MessageRole,
    pub parts: Vec<Part>,
    pub status: MessageStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// Who answered, where it was not the assistant of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<AssistantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<Translation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    pub created_at: Timestamp,
}

impl From<Project> for ArchivedProject {
    fn from(project: Project) -> Self {
        let Project { id, profile, created_at, updated_at } = project;
        Self { id, profile, created_at, updated_at }
    }
}

impl From<AssistantFolder> for ArchivedAssistantFolder {
    fn from(folder: AssistantFolder) -> Self {
        let AssistantFolder { id, name, collapsed } = folder;
        Self { id, name, collapsed }
    }
}

impl ArchivedAssistant {
    /// An assistant with the bytes of its face.
    pub fn new(assistant: Assistant, picture: Option<&[u8]>) -> Self {
        let Assistant { id, profile, pinned, folder_id, created_at, .. } = assistant;
        Self { id, profile, pinned, folder_id, picture: picture.map(|bytes| STANDARD.encode(bytes)), created_at }
    }

    /// What is no base64 is no picture.
    pub(crate) fn picture(&self) -> Option<Vec<u8>> {
        self.picture.as_ref().map(|text| STANDARD.decode(text).unwrap_or_default())
    }
}

impl From<Prompt> for ArchivedPrompt {
    fn from(prompt: Prompt) -> Self {
        let Prompt { id, profile, created_at, updated_at } = prompt;
        Self { id, profile, created_at, updated_at }
    }
}

impl From<Conversation> for ArchivedConversation {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id,
            title: conversation.title,
            pinned: conversation.pinned,
            archived: conversation.archived,
            project_id: conversation.project_id,
            assistant_id: conversation.assistant_id,
            thread: conversation.thread.map(|thread| ArchivedThread {
                conversation_id: thread.conversation_id,
                message_id: thread.message_id,
                with_context: thread.with_context,
            }),
            tags: conversation.tags,
            model: conversation.model,
            parameters: conversation.parameters,
            role: conversation.role,
            leaf_id: conversation.leaf_id,
            created_at: conversation.created_at,
            updated_at: conversation.updated_at,
        }
    }
}

impl From<Message> for ArchivedMessage {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            conversation_id: message.conversation_id,
            parent_id: message.parent_id,
            role: message.role,
            parts: message.parts,
            // What is being written is taken as far as it has come.
            status: match message.status {
                MessageStatus::Running => MessageStatus::Interrupted,
                status => status,
            },
            finish_reason: message.finish_reason,
            model: message.model,
            stand_in: message.stand_in,
            assistant_id: message.assistant_id,
            parameters: message.parameters,
            usage: message.usage,
            timings: message.timings,
            error: message.error,
            translation: message.translation,
            summary: message.summary,
            created_at: message.created_at,
        }
    }
}

impl ArchivedFile {
    pub fn new(file: File, bytes: &[u8]) -> Self {
        Self { id: file.id, name: file.name, media_type: file.media_type, data: STANDARD.encode(bytes) }
    }

    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.data).ok()
    }
}

impl Entry {
    /// The line, with its end.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

impl Header {
    /// The line, with its end.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

/// Text, numbers and lists of them always fit JSON.
fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

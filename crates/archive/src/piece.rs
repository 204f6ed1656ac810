//! What comes out of an imported file, one thing at a time, with the ids that it is to have.

use serde::Serialize;
use stoa_model::assistant::AssistantProfile;
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::{Failure, MessageRole, MessageStatus, Summary, Timings, Translation};
use stoa_model::project::ProjectProfile;
use stoa_model::prompt::PromptProfile;
use stoa_model::{AssistantFolderId, AssistantId, ConversationId, FileId, MessageId, ProjectId, PromptId, Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Project {
        id: ProjectId,
        /// The id that it had where it was exported: in the same account it is that one still.
        original: Option<ProjectId>,
        profile: Box<ProjectProfile>,
        created_at: Timestamp,
        updated_at: Timestamp,
    },
    AssistantFolder {
        id: AssistantFolderId,
        original: Option<AssistantFolderId>,
        name: String,
        collapsed: bool,
    },
    Assistant {
        id: AssistantId,
        original: Option<AssistantId>,
        profile: Box<AssistantProfile>,
        /// The folder that it lies in: as imported, and as it was exported.
        folder: Option<(AssistantFolderId, Option<AssistantFolderId>)>,
        /// The bytes of its face; empty ones that cannot be read.
        picture: Option<Vec<u8>>,
        pinned: bool,
        created_at: Option<Timestamp>,
    },
    Prompt {
        id: PromptId,
        original: Option<PromptId>,
        profile: Box<PromptProfile>,
        created_at: Timestamp,
        updated_at: Timestamp,
    },
    File {
        id: FileId,
        original: Option<FileId>,
        name: String,
        bytes: Vec<u8>,
    },
    Conversation(Box<ConversationPiece>),
    Message(Box<MessagePiece>),
    LeftOut(LeftOut),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConversationPiece {
    pub id: ConversationId,
    pub original: Option<ConversationId>,
    /// Empty while it is not known: it may come later in the file.
    pub title: String,
    pub pinned: bool,
    pub archived: bool,
    /// As imported, and as it was exported.
    pub project: Option<(ProjectId, Option<ProjectId>)>,
    pub assistant: Option<(AssistantId, Option<AssistantId>)>,
    /// Where it begins, because it is a thread.
    pub thread: Option<ThreadPiece>,
    pub tags: Vec<String>,
    pub model: Option<String>,
    pub parameters: Parameters,
    pub role: String,
    pub leaf: Option<MessageId>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// The file knows no tree: the messages follow one another by their times.
    pub chain: bool,
}

/// The message that a thread begins at: each as imported, and as it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPiece {
    pub conversation: (ConversationId, Option<ConversationId>),
    pub message: (MessageId, Option<MessageId>),
    pub with_context: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MessagePiece {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub parent: Option<MessageId>,
    pub role: MessageRole,
    pub parts: Vec<PiecePart>,
    pub status: MessageStatus,
    pub model: Option<String>,
    pub stand_in: Option<String>,
    /// Who answered, where it was not the assistant of the conversation: as imported, and as it was exported.
    pub assistant: Option<(AssistantId, Option<AssistantId>)>,
    pub parameters: Option<Parameters>,
    pub finish_reason: Option<FinishReason>,
    pub usage: Option<Usage>,
    pub timings: Option<Timings>,
    pub error: Option<Failure>,
    pub translation: Option<Translation>,
    /// What the branch comes down to, up to this answer.
    pub summary: Option<Summary>,
    pub created_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PiecePart {
    Text(String),
    Reasoning { text: String, duration_ms: u64 },
    Image { id: FileId, original: Option<FileId>, name: String },
}

impl PiecePart {
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Reasoning { text, .. } => text,
            Self::Image { .. } => "",
        }
    }
}

/// Something of the file that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub what: Kind,
    pub why: Why,
    /// By what its owner knows it: a title, or the place in the file.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Project,
    AssistantFolder,
    Assistant,
    Prompt,
    Conversation,
    Message,
    Picture,
    /// Anything else: settings, plugins, files that are no pictures.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It cannot be read: broken, or not as its kind should be.
    Unreadable,
    /// It is larger than what may be typed.
    TooLarge,
    /// Stoa has nothing of this kind.
    NotSupported,
    /// The file names it and does not hold it.
    NotInFile,
    /// It holds nothing.
    Empty,
    /// Something in it is not allowed here.
    NotAllowed,
    /// There are as many as one person may have.
    NoRoom,
    /// The file ends in the middle.
    CutOff,
}

impl Piece {
    pub(crate) fn left_out(what: Kind, why: Why, name: impl Into<String>) -> Self {
        Self::LeftOut(LeftOut { what, why, name: short(&name.into()) })
    }
}

/// As much of a name as a report shows.
fn short(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

//! Conversations: a tree of messages, and the generations that write answers into it.

use serde::{Deserialize, Serialize};

use crate::assistant::{InvalidProfile, MAX_TAG, lines};
use crate::completion::{FinishReason, Parameters, Usage};
use crate::file::File;
use crate::{AssistantId, ConversationId, FileId, GenerationId, MessageId, ProjectId, Timestamp};

/// Tags of one conversation, of as many characters as those of assistants.
pub const MAX_TAGS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    System,
    User,
    Assistant,
}

impl MessageRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant].into_iter().find(|role| role.as_str() == text)
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    Text {
        text: String,
    },
    /// What the model thought before it answered, and for how long.
    Reasoning {
        text: String,
        #[serde(default)]
        duration_ms: u64,
    },
    /// A picture of the user's.
    Image {
        file_id: FileId,
        name: String,
        /// In pixels, so that its place is known before it is there.
        width: u32,
        height: u32,
    },
}

impl Part {
    /// The text of it; none of a picture.
    pub fn text(&self) -> &str {
        match self {
            Self::Text { text } | Self::Reasoning { text, .. } => text,
            Self::Image { .. } => "",
        }
    }

    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. })
    }

    /// The file that it shows, of a picture.
    pub const fn file_id(&self) -> Option<FileId> {
        match self {
            Self::Image { file_id, .. } => Some(*file_id),
            Self::Text { .. } | Self::Reasoning { .. } => None,
        }
    }

    pub fn image(file: &File) -> Self {
        Self::Image { file_id: file.id, name: file.name.clone(), width: file.width, height: file.height }
    }
}

/// How far an answer has come. A user's message is always `complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    Running,
    Complete,
    /// Somebody pressed stop.
    Stopped,
    /// The server that ran it died; what was written is kept, and it can be continued.
    Interrupted,
    Failed,
}

impl MessageStatus {
    pub const ALL: [Self; 5] = [Self::Running, Self::Complete, Self::Stopped, Self::Interrupted, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What went wrong with an answer, as kept with the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    pub code: String,
    pub detail: String,
    /// For `egress_refused`: the exact `host:port` that an admin may allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// Milliseconds of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timings {
    /// From the request to the first token.
    pub first_token_ms: u64,
    /// From the request to the end.
    pub total_ms: u64,
}

/// The conversation as the list and the header show it.
#[expect(clippy::struct_excessive_bools, reason = "they are independent, and named in the API")]
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Conversation {
    pub id: ConversationId,
    pub title: String,
    pub pinned: bool,
    /// The assistant that it is with.
    #[schema(required)]
    pub assistant_id: Option<AssistantId>,
    /// The project that it is in.
    #[schema(required)]
    pub project_id: Option<ProjectId>,
    /// Out of the list, but kept; a new turn brings it back.
    pub archived: bool,
    /// In alphabetical order.
    pub tags: Vec<String>,
    /// The model of the last turn, the default of the next.
    #[schema(required)]
    pub model: Option<String>,
    pub parameters: Parameters,
    /// What the model is told to be in this conversation; empty for what the assistant says, if there is one.
    pub role: String,
    /// The end of the branch that is shown.
    #[schema(required)]
    pub leaf_id: Option<MessageId>,
    /// An answer is being written.
    pub generating: bool,
    /// An answer has come that its owner has not seen.
    pub unread: bool,
    /// When it goes for good, because it is a temporary one: it is in no list and found by no search.
    #[schema(required)]
    pub temporary_until: Option<Timestamp>,
    /// Old turns are summed up by themselves when they grow past what the model gets.
    pub auto_summary: bool,
    /// When turns of it were last summed up, or that was taken back.
    #[schema(required)]
    pub summarised_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A language that the application speaks, into which it translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    En,
    /// Chinese in simplified characters.
    Zh,
}

/// What a message says in another language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Translation {
    pub language: Language,
    pub text: String,
    /// Which model translated.
    pub model: String,
}

/// What a branch comes down to, up to the answer that this is kept with. Models get it in the place of that answer and of
/// all that is above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Summary {
    pub text: String,
    /// Which model wrote it.
    pub model: String,
    /// How many messages it stands for.
    pub messages: u32,
}

/// What the model of a conversation would be sent with the next question, by estimates of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContextTokens {
    /// What the model is told to be.
    pub role: u64,
    /// The instructions of the project.
    pub project: u64,
    pub summary: u64,
    /// What was said since.
    pub messages: u64,
    pub pictures: u64,
}

/// What the model of a conversation would be sent with the next question, and what it was sent so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContextFigures {
    pub tokens: ContextTokens,
    /// How many messages are sent as they are.
    pub messages: u32,
    /// How many messages the summary stands for.
    pub summed_up: u32,
    /// There are older messages that are not sent at all.
    pub left_out: bool,
    /// In billionths of a US dollar, of all branches; nothing where no model had a price.
    #[schema(required)]
    pub cost: Option<u64>,
    /// Up to which answer it would be summed up now: the one before the last question.
    #[schema(required)]
    pub summable: Option<MessageId>,
}

/// A tag, and how many conversations have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TagCount {
    pub tag: String,
    pub conversations: u64,
}

/// Tags as they are kept: trimmed, none empty, none twice.
pub fn checked_tags(tags: &[String]) -> Result<Vec<String>, InvalidProfile> {
    lines("tags", tags, MAX_TAGS, MAX_TAG)
}

#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub conversation_id: ConversationId,
    #[schema(required)]
    pub parent_id: Option<MessageId>,
    pub role: MessageRole,
    pub parts: Vec<Part>,
    pub status: MessageStatus,
    /// Why the model itself ended this answer; nothing while it has not, or when something else did.
    #[schema(required)]
    pub finish_reason: Option<FinishReason>,
    #[schema(required)]
    pub model: Option<String>,
    /// The model that answered in the place of that one, which could not.
    #[schema(required)]
    pub stand_in: Option<String>,
    #[schema(required)]
    pub parameters: Option<Parameters>,
    /// The generation that writes, or last wrote, this answer.
    #[schema(required)]
    pub generation_id: Option<GenerationId>,
    #[schema(required)]
    pub usage: Option<Usage>,
    #[schema(required)]
    pub timings: Option<Timings>,
    #[schema(required)]
    pub error: Option<Failure>,
    /// The last translation that was asked for.
    #[schema(required)]
    pub translation: Option<Translation>,
    /// What the branch comes down to up to this answer, if it was summed up here.
    #[schema(required)]
    pub summary: Option<Summary>,
    /// All messages with the same parent, this one among them, oldest first.
    pub siblings: Vec<MessageId>,
    pub created_at: Timestamp,
}

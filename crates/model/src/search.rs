//! What a search finds: where it is, and a piece of the text around it.

use serde::Serialize;

use crate::conversation::MessageRole;
use crate::{ConversationId, MessageId, Timestamp};

/// A conversation whose title has what was looked for, or a message that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SearchHit {
    pub conversation_id: ConversationId,
    pub conversation_title: String,
    /// The conversation that it is a thread of, if it is one.
    #[schema(required)]
    pub thread_of: Option<ConversationId>,
    /// The message; nothing when it is the title. As `around` of the conversation's messages it opens the branch it is on.
    #[schema(required)]
    pub message_id: Option<MessageId>,
    #[schema(required)]
    pub role: Option<MessageRole>,
    /// When the message was written, or the conversation last used.
    pub at: Timestamp,
    /// The title, or the part of the message where most of the words are.
    pub snippet: Snippet,
}

/// One line of plain text, and which of it was looked for. What was left out at an end is an ellipsis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Snippet {
    pub text: String,
    /// In order, none touching another.
    pub highlights: Vec<Highlight>,
}

/// From `start` up to, and without, `end`, in UTF-16 code units, as JavaScript counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Highlight {
    pub start: u32,
    pub end: u32,
}

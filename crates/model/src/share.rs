//! Conversations shown to others by a link: a picture of one branch, taken at one moment.

use serde::{Deserialize, Serialize};

use crate::conversation::{MessageRole, Part};
use crate::{ConversationId, ShareId, Timestamp};

/// Who a link opens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever has an account here and is signed in.
    Members,
    /// Whoever has the link. An administrator may switch this off.
    Everyone,
}

impl Audience {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Everyone => "everyone",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Members, Self::Everyone].into_iter().find(|audience| audience.as_str() == text)
    }
}

/// A link as its owner sees it. What opens it is told once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Share {
    pub id: ShareId,
    pub conversation_id: ConversationId,
    /// As the conversation was called.
    pub title: String,
    pub audience: Audience,
    pub messages: u64,
    /// Never, when absent.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When its picture of the conversation was taken.
    pub taken_at: Timestamp,
}

/// What whoever opens a link sees above the messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Shared {
    pub title: String,
    /// What its owner is called.
    pub owner: String,
    pub messages: u64,
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    pub taken_at: Timestamp,
}

/// A message as others see it: what was said, by whom, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SharedMessage {
    /// From 0 on, in the order of the branch.
    pub place: u32,
    pub role: MessageRole,
    pub parts: Vec<Part>,
    #[schema(required)]
    pub model: Option<String>,
    pub created_at: Timestamp,
}

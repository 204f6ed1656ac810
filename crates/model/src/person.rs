//! People and their roles.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers for the installation; there is always at least one.
    Owner,
    /// Runs providers and members.
    Admin,
    Member,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Member].into_iter().find(|role| role.as_str() == text)
    }
}

/// Somebody with an account. The e-mail address is for display and sign-in; it never identifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub disabled: bool,
    #[serde(skip)]
    pub epoch: i64,
    pub created_at: Timestamp,
    #[schema(required)]
    pub last_seen_at: Option<Timestamp>,
    /// The first steps were shown, or passed over.
    #[serde(skip)]
    pub welcomed: bool,
}

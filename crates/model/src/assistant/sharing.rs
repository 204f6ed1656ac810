//! What an assistant is to those it is shared with, and who that may be.

use serde::Serialize;

use super::{Assistant, AssistantProfile};
use crate::completion::Parameters;
use crate::person::Role;
use crate::personal::is_personal;
use crate::{AssistantFolderId, AssistantId, AssistantShareId, Timestamp, UserId};

/// Shares of one assistant.
pub const MAX_ASSISTANT_SHARES: u64 = 200;

/// Whom a share reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Whoever has an account here.
    Everyone,
    /// Those who have this very role.
    Role(Role),
    Person(UserId),
}

impl Reach {
    /// As it is kept, and compared.
    pub fn key(self) -> String {
        match self {
            Self::Everyone => "everyone".to_owned(),
            Self::Role(role) => format!("role:{}", role.as_str()),
            Self::Person(id) => format!("person:{id}"),
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        match key.split_once(':') {
            None if key == "everyone" => Some(Self::Everyone),
            Some(("role", role)) => Role::parse(role).map(Self::Role),
            Some(("person", id)) => id.parse().ok().map(Self::Person),
            _ => None,
        }
    }
}

/// A share as the owner of the assistant sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AssistantShare {
    pub id: AssistantShareId,
    pub with: SharedWith,
    pub created_at: Timestamp,
}

/// Who an assistant is shared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SharedWith {
    Everyone,
    Role { role: Role },
    Person { name: String, email: String },
}

/// An assistant of somebody else's as those see it who may use it: who it is and what it begins with, and nothing of what it
/// is built on.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SharedAssistant {
    pub id: AssistantId,
    pub name: String,
    pub description: String,
    pub avatar: String,
    pub background: String,
    /// Changes with the picture that is its face; absent where there is none.
    #[schema(required)]
    pub picture: Option<String>,
    pub tags: Vec<String>,
    pub opening_message: String,
    pub opening_questions: Vec<String>,
    /// With which new conversations begin. Absent for the one in use, also where its owner's browser alone reaches it.
    #[schema(required)]
    pub model: Option<String>,
    /// Those of new conversations, which show them.
    pub parameters: Parameters,
    /// What its owner is called.
    pub made_by: String,
    /// The folder of the caller's that it lies in.
    #[schema(required)]
    pub folder_id: Option<AssistantFolderId>,
    pub updated_at: Timestamp,
}

impl SharedAssistant {
    /// What others may see of an assistant.
    pub fn of(assistant: Assistant, made_by: String) -> Self {
        let model = assistant.profile.model_for_others();
        let AssistantProfile {
            name,
            description,
            avatar,
            background,
            tags,
            opening_message,
            opening_questions,
            parameters,
            ..
        } = assistant.profile;
        Self {
            id: assistant.id,
            name,
            description,
            avatar,
            background,
            picture: assistant.picture,
            tags,
            opening_message,
            opening_questions,
            model,
            parameters,
            made_by,
            folder_id: assistant.folder_id,
            updated_at: assistant.updated_at,
        }
    }
}

impl AssistantProfile {
    /// The model, unless it is of a provider that only its owner's browser calls.
    pub fn model_for_others(&self) -> Option<String> {
        self.model.clone().filter(|model| !is_personal(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_kept_as_a_text_and_read_again() {
        let person = UserId::generate(Timestamp::from_millis(1_700_000_000_000));
        for reach in [Reach::Everyone, Reach::Role(Role::Admin), Reach::Person(person)] {
            assert_eq!(Reach::parse(&reach.key()), Some(reach));
        }
        for wrong in ["", "everybody", "role:guest", "person:me", "everyone:all"] {
            assert_eq!(Reach::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn others_see_nothing_of_what_it_is_built_on() {
        let secret = "the philosopher's stone";
        let profile = AssistantProfile {
            name: "Translator".to_owned(),
            role: secret.to_owned(),
            input_template: format!("{secret} {{{{text}}}}"),
            model: Some("~lab/own".to_owned()),
            ..AssistantProfile::default()
        };
        let now = Timestamp::from_millis(0);
        let id = AssistantId::generate(now);
        let assistant = Assistant {
            id,
            profile,
            pinned: false,
            folder_id: None,
            picture: None,
            shared: true,
            created_at: now,
            updated_at: now,
        };
        let seen = SharedAssistant::of(assistant, "Ada".to_owned());
        let text = serde_json::to_string(&seen).unwrap();
        assert!(text.contains("Translator") && !text.contains(secret) && !text.contains("~lab"), "{text}");
    }
}

//! Typed ids over UUIDv7, so that a message id can never be passed where a conversation id is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id whose leading bits are `now`, so that ids sort by the time they were made.
            pub fn generate(now: Timestamp) -> Self {
                Self(uuid_at(now))
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

typed_ids! {
    /// A `host:port` that an admin allowed the server to reach although it is private.
    AllowanceId,
    ApiKeyId,
    AssistantFolderId,
    AssistantId,
    /// That somebody else may use an assistant.
    AssistantShareId,
    ConversationId,
    FileId,
    FunctionId,
    FunctionTimerId,
    /// A folder that functions of its owner share.
    FunctionVolumeId,
    GenerationId,
    IdentityId,
    /// One running server process.
    InstanceId,
    MessageId,
    ProjectId,
    PromptId,
    ProviderId,
    /// A provider that only its owner's browser calls.
    PersonalProviderId,
    /// One bringing of a model from its registry.
    PullId,
    SessionId,
    /// A link to a conversation.
    ShareId,
    /// One open `/api/v1/events` connection.
    StreamId,
    UsageId,
    UserId,
}

fn uuid_at(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let seconds = millis / 1_000;
    let nanos = u32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let earlier = MessageId::generate(Timestamp::from_millis(1_700_000_000_000));
        let later = MessageId::generate(Timestamp::from_millis(1_700_000_000_001));
        assert!(earlier < later);
    }

    #[test]
    fn an_id_survives_text_and_back() {
        let id = UserId::generate(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(id.to_string().parse::<UserId>().unwrap(), id);
        assert!("not-an-id".parse::<UserId>().is_err());
    }
}

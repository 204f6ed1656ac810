//! The ids of imported rows, derived from whose they are and where they come from.
//!
//! The same thing imported twice by one person gets the same id twice, and so is there once. Two people's never meet.

use sha2::{Digest as _, Sha256};
use stoa_model::UserId;
use uuid::Uuid;

/// Derives ids for one person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origins(pub(crate) UserId);

impl Origins {
    /// `kind` and `source` are words of ours; `key` is what the other side calls the thing.
    pub(crate) fn id<T: From<Uuid>>(self, kind: &str, source: &str, key: &str) -> T {
        let mut hash = Sha256::new();
        // Lengths go before the texts, so that no two lists of texts read alike.
        for text in ["stoa.import", kind, source, key] {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        hash.update(self.0.as_uuid().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        T::from(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::{ConversationId, MessageId, Timestamp};

    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_same_thing_and_no_other() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let (ada, charles) = (Origins(UserId::generate(now)), Origins(UserId::generate(now)));
        let id: ConversationId = ada.id("conversation", "chatgpt", "1");
        assert_eq!(ada.id::<ConversationId>("conversation", "chatgpt", "1"), id);
        assert_ne!(charles.id::<ConversationId>("conversation", "chatgpt", "1"), id);
        let others: [MessageId; 3] = [
            ada.id("message", "chatgpt", "1"),
            ada.id("conversation", "lobechat", "1"),
            ada.id("conversation", "chatgpt1", ""),
        ];
        assert!(others.iter().all(|other| other.as_uuid() != id.as_uuid()));
        assert_eq!(id.as_uuid().get_version_num(), 8);
    }
}

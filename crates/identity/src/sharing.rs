//! Links to conversations: made here with what opens them, and opened here.

use stoa_model::share::{Audience, Share};
use stoa_model::{ConversationId, MessageId, Principal, Timestamp};
use stoa_storage::NewShare;

use crate::token::ShareToken;
use crate::{Door, IdentityError};

#[derive(Clone, Copy, Debug)]
pub struct NewLink {
    pub conversation: ConversationId,
    /// Any message of the branch; the branch that the conversation shows when absent.
    pub leaf: Option<MessageId>,
    pub audience: Audience,
    pub expires_at: Option<Timestamp>,
}

impl Door {
    /// Makes a link. What opens it is told this once.
    pub async fn create_link(&self, principal: &Principal, new: NewLink) -> Result<(Share, ShareToken), IdentityError> {
        let now = self.inner.clock.now();
        check_end(new.expires_at, now)?;
        let token = ShareToken::generate();
        let row = NewShare {
            token_hash: token.hash().to_vec(),
            conversation: new.conversation,
            leaf: new.leaf,
            audience: new.audience,
            expires_at: new.expires_at,
        };
        Ok((self.inner.database.create_share(principal, row, now).await?, token))
    }

    /// Refuses an end that lies behind.
    pub fn check_link_end(&self, expires_at: Option<Timestamp>) -> Result<(), IdentityError> {
        check_end(expires_at, self.inner.clock.now())
    }

    /// Asked of the database each time, so that a link that was ended is ended at once, on every replica.
    pub(crate) async fn open_link(&self, text: &str, visitor: Option<&Principal>) -> Result<Principal, IdentityError> {
        let token = ShareToken::parse(text).ok_or(IdentityError::NoSuchLink)?;
        let found = self.inner.database.share_by_token(&token.hash(), self.inner.clock.now()).await?;
        let (share, audience) = found.ok_or(IdentityError::NoSuchLink)?;
        match audience {
            Audience::Everyone => Ok(Principal::Shared { share }),
            Audience::Members if visitor.is_some_and(|visitor| visitor.user_id().is_some()) => {
                Ok(Principal::Shared { share })
            }
            Audience::Members => Err(IdentityError::Unauthenticated),
        }
    }
}

fn check_end(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), IdentityError> {
    if expires_at.is_some_and(|at| at <= now) {
        return Err(IdentityError::field("expires_at", "must be in the future"));
    }
    Ok(())
}

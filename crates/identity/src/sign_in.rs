//! Sign-in by password, sign-out, and a new password of one's own.

use stoa_model::person::User;
use stoa_model::{Principal, Via};
use stoa_storage::{NewSession, StorageError, UserChange};

use crate::accounts::{PasswordChange, by_session};
use crate::door::SESSION_LASTS;
use crate::{Device, Door, IdentityError, SessionToken, validation};

/// Sessions that one person may have; the longest unused end first.
const SESSIONS_KEPT: usize = 100;
const USER_AGENT_CHARS: usize = 300;

#[derive(Clone, Debug)]
pub struct SignIn {
    pub email: String,
    pub password: String,
    pub device: Device,
}

/// Somebody who has just signed in, and the token that their browser keeps.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user: User,
    pub principal: Principal,
    pub token: SessionToken,
}

impl Door {
    /// Signs in by e-mail address and password. An unknown address, a wrong password and an account that may not sign
    /// in look the same and take as long.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, IdentityError> {
        let inner = &self.inner;
        let account = sign_in.email.trim().to_lowercase();
        let attempt = inner.throttle.attempt(&account, sign_in.device.address, inner.clock.now())?;
        if !validation::may_be_password(&sign_in.password) || validation::email(&account).is_err() {
            return Err(IdentityError::WrongCredentials);
        }
        let found = inner.database.credentials_by_email(&account).await?;
        let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
        let right = inner.passwords.verify(&sign_in.password, hash).await?;
        let user = user.filter(|user| right && !user.disabled).ok_or(IdentityError::WrongCredentials)?;
        attempt.succeeded();
        self.open_session(user, sign_in.device).await
    }

    /// Ends the session that `principal` speaks through.
    pub async fn sign_out(&self, principal: &Principal) -> Result<(), IdentityError> {
        let session = principal.session_id().ok_or(IdentityError::Forbidden)?;
        match self.inner.database.delete_session(principal, session).await {
            // Gone already, such as by a click in another tab: signed out is signed out.
            Ok(()) | Err(StorageError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a new password for whoever knows the present one, and ends their other sessions.
    pub async fn change_password(
        &self,
        principal: &Principal,
        change: PasswordChange,
        device: &Device,
    ) -> Result<(), IdentityError> {
        let id = by_session(principal)?;
        let inner = &self.inner;
        // Whoever found an open browser may not guess on either.
        let account = id.to_string();
        let attempt = inner.throttle.attempt(&account, device.address, inner.clock.now())?;
        let wrong = || IdentityError::field("current_password", "This is not your present password.");
        if !validation::may_be_password(&change.current) {
            return Err(wrong());
        }
        let credentials = inner.database.own_credentials(principal).await?;
        let (user, hash) = credentials.map(|found| (found.user, found.password_hash)).unzip();
        if !inner.passwords.verify(&change.current, hash).await? {
            return Err(wrong());
        }
        attempt.succeeded();
        let email = user.map(|user| user.email).unwrap_or_default();
        validation::password(&change.new, &email).map_err(|message| IdentityError::field("new_password", &message))?;
        let password_hash = Some(inner.passwords.hash(&change.new).await?);
        let change = UserChange { password_hash, ..UserChange::default() };
        inner.database.change_user(principal, id, change, inner.clock.now()).await?;
        inner.database.delete_other_sessions(principal).await?;
        Ok(())
    }

    /// Opens a session for somebody who has proved who they are.
    pub(crate) async fn open_session(&self, user: User, device: Device) -> Result<SignedIn, IdentityError> {
        let inner = &self.inner;
        let token = SessionToken::generate();
        let new = NewSession {
            user: user.id,
            token_hash: token.hash().to_vec(),
            user_agent: readable(&device.user_agent),
            address: device.address.to_canonical().to_string(),
            lasts: SESSION_LASTS,
        };
        let now = inner.clock.now();
        let session = inner.database.create_session(new, now).await?;
        let principal = Principal::User { id: user.id, role: user.role, epoch: user.epoch, via: Via::Session(session) };
        let sessions = inner.database.sessions(&principal, now).await?;
        for unused in sessions.iter().skip(SESSIONS_KEPT) {
            match inner.database.delete_session(&principal, unused.id).await {
                Ok(()) | Err(StorageError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(SignedIn { user, principal, token })
    }
}

/// What a browser says of itself, fit to be shown.
fn readable(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect()
}

//! Accounts and API keys: what people type is checked, passwords are hashed and keys made, and the rest is storage's.

use stoa_model::person::{Role, User};
use stoa_model::{ApiKeyId, Principal, Scope, Timestamp, UserId, Via};
use stoa_storage::{ApiKey, NewApiKey, NewUser, UserChange};

use crate::validation::{self, Report};
use crate::{ApiKeyText, Door, IdentityError};

/// Keys that one person may have.
const API_KEYS: usize = 200;

/// Somebody whom an admin gives an account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub name: String,
    pub email: String,
    pub password: String,
    pub role: Role,
}

/// What an admin changes of somebody; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    pub name: Option<String>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub password: Option<String>,
}

#[derive(Clone, Debug)]
pub struct PasswordChange {
    pub current: String,
    pub new: String,
}

#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: String,
    /// None means [`Scope::Infer`] alone.
    pub scopes: Option<Vec<Scope>>,
    pub expires_at: Option<Timestamp>,
}

impl Door {
    /// Gives somebody an account with an initial password.
    pub async fn create_account(&self, principal: &Principal, new: NewAccount) -> Result<User, IdentityError> {
        // Whoever may not do this is told so before anything is checked or hashed. A key that could make an account
        // could make itself a way in that outlives it.
        by_session(principal)?;
        if !principal.may_administer() || !principal.may_assign(new.role) {
            return Err(IdentityError::Forbidden);
        }
        let mut report = Report::new();
        let name = report.check("name", validation::name(&new.name));
        report.check("password", validation::password(&new.password, &new.email));
        let email = report.check("email", validation::email(&new.email));
        let (Some(name), Some(email)) = (name, email) else {
            return Err(IdentityError::Invalid(report.into_errors()));
        };
        report.finish()?;
        let inner = &self.inner;
        let password_hash = inner.passwords.hash(&new.password).await?;
        let new = NewUser { name, email, role: new.role, password_hash };
        Ok(inner.database.create_user(principal, new, inner.clock.now()).await?)
    }

    /// Changes somebody's account. A new password, and not being allowed to sign in, end their sessions.
    pub async fn change_account(
        &self,
        principal: &Principal,
        id: UserId,
        change: AccountChange,
    ) -> Result<User, IdentityError> {
        by_session(principal)?;
        if !principal.may_administer() {
            return Err(IdentityError::Forbidden);
        }
        let inner = &self.inner;
        let before = inner.database.user(principal, id).await?;
        let mut report = Report::new();
        let name = change.name.as_deref().and_then(|name| report.check("name", validation::name(name)));
        if let Some(password) = &change.password {
            if principal.user_id() == Some(id) {
                // One's own needs the present one, whoever one is.
                let message = "Change your own password in your profile, with the present one.";
                report.check::<()>("password", Err(message.to_owned()));
            } else {
                report.check("password", validation::password(password, &before.email));
            }
        }
        report.finish()?;
        if !principal.may_assign(before.role) && principal.user_id() != Some(id) {
            return Err(IdentityError::Forbidden);
        }
        let password_hash = match &change.password {
            Some(password) => Some(inner.passwords.hash(password).await?),
            None => None,
        };
        let ends_sessions = password_hash.is_some() || change.disabled == Some(true);
        let change = UserChange { name, role: change.role, disabled: change.disabled, password_hash };
        let user = inner.database.change_user(principal, id, change, inner.clock.now()).await?;
        if ends_sessions {
            inner.database.delete_sessions_of(principal, id).await?;
        }
        Ok(user)
    }

    /// Changes one's own name.
    pub async fn rename(&self, principal: &Principal, name: Option<&str>) -> Result<User, IdentityError> {
        let id = principal.user_id().ok_or(IdentityError::Forbidden)?;
        let inner = &self.inner;
        let Some(name) = name else { return Ok(inner.database.user(principal, id).await?) };
        let name = validation::name(name).map_err(|message| IdentityError::field("name", &message))?;
        let change = UserChange { name: Some(name), ..UserChange::default() };
        Ok(inner.database.change_user(principal, id, change, inner.clock.now()).await?)
    }

    /// Makes an API key. Its text is in no other answer ever again.
    pub async fn create_api_key(
        &self,
        principal: &Principal,
        new: NewKey,
    ) -> Result<(ApiKey, ApiKeyText), IdentityError> {
        by_session(principal)?;
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut report = Report::new();
        let name = report.check("name", validation::name(&new.name));
        let scopes = report.check("scopes", scopes(new.scopes));
        if new.expires_at.is_some_and(|at| at <= now) {
            report.check::<()>("expires_at", Err("Choose a time that lies ahead.".to_owned()));
        }
        let (Some(name), Some(scopes)) = (name, scopes) else {
            return Err(IdentityError::Invalid(report.into_errors()));
        };
        report.finish()?;
        if inner.database.api_keys(principal).await?.len() >= API_KEYS {
            return Err(IdentityError::field("name", "You have as many keys as you may; delete one first."));
        }
        let text = ApiKeyText::generate(ApiKeyId::generate(now));
        let new = NewApiKey {
            id: text.id(),
            name,
            secret_hash: text.secret_hash().to_vec(),
            scopes,
            expires_at: new.expires_at,
        };
        let key = inner.database.create_api_key(principal, new, now).await?;
        Ok((key, text))
    }
}

/// The person, when they are there themselves: passwords, sessions and keys are out of an API key's reach.
pub(crate) fn by_session(principal: &Principal) -> Result<UserId, IdentityError> {
    match principal {
        Principal::User { id, via: Via::Session(_), .. } => Ok(*id),
        Principal::User { .. } | Principal::AtTheMachine | Principal::Shared { .. } | Principal::System(_) => {
            Err(IdentityError::Forbidden)
        }
    }
}

fn scopes(asked: Option<Vec<Scope>>) -> Result<Vec<Scope>, String> {
    let asked = asked.unwrap_or_else(|| vec![Scope::Infer]);
    let scopes: Vec<_> = Scope::ALL.into_iter().filter(|scope| asked.contains(scope)).collect();
    if scopes.is_empty() { Err("Choose at least one scope.".to_owned()) } else { Ok(scopes) }
}

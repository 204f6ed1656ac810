//! The first account: by the set-up page, or by the operator's configuration.

use std::fmt;

use serde::Serialize;
use stoa_model::person::Role;
use stoa_storage::{MasterKey, NewUser, StorageError};
use subtle::ConstantTimeEq as _;

use crate::token::sha256;
use crate::validation::{self, Report};
use crate::{Device, Door, IdentityError, SignedIn};

const TOKEN_BYTES: usize = 16;

/// What proves that whoever opens the set-up page can read the server's log. Good until there is an account.
///
/// It follows from the master key, so that every replica names the same one, whichever of them is asked.
#[derive(Clone)]
pub struct SetupToken(String);

/// Whether the set-up page has anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SetupState {
    /// Nobody has an account yet.
    pub needed: bool,
    /// The token that the server wrote into its log must be given: whoever asks does not sit at the machine itself.
    pub token_required: bool,
}

/// The first owner, as the set-up page asks for them.
#[derive(Clone, Debug)]
pub struct NewOwner {
    pub name: String,
    pub email: String,
    pub password: String,
    pub token: Option<String>,
}

impl SetupToken {
    pub fn derive(key: &MasterKey) -> Self {
        let hash = sha256(format!("stoa set-up token\0{}", key.to_hex()).as_bytes());
        Self(hash[..TOKEN_BYTES].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
    }

    /// For the log, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn matches(&self, given: Option<&str>) -> bool {
        given.is_some_and(|given| self.0.as_bytes().ct_eq(given.trim().as_bytes()).into())
    }
}

impl fmt::Debug for SetupToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupToken(…)")
    }
}

impl Door {
    /// What the set-up page has to do for somebody at `device`.
    pub async fn setup_state(&self, device: &Device) -> Result<SetupState, IdentityError> {
        let needed = self.setup_is_needed().await?;
        Ok(SetupState { needed, token_required: needed && !device.at_the_machine })
    }

    /// Whether nobody has an account yet.
    pub async fn setup_is_needed(&self) -> Result<bool, IdentityError> {
        Ok(self.inner.database.needs_setup().await?)
    }

    /// Makes the first owner and signs them in. Of two that try at once, one is told that they are late.
    pub async fn set_up(&self, owner: NewOwner, device: Device) -> Result<SignedIn, IdentityError> {
        let inner = &self.inner;
        if !inner.database.needs_setup().await? {
            return Err(IdentityError::AlreadySetUp);
        }
        if !device.at_the_machine {
            let attempt = inner.throttle.attempt("set-up", device.address, inner.clock.now())?;
            if !inner.setup_token.matches(owner.token.as_deref()) {
                return Err(IdentityError::WrongSetupToken);
            }
            attempt.succeeded();
        }
        let new = self.first_owner(&owner.name, &owner.email, &owner.password).await?;
        let user = inner.database.create_first_owner(new, inner.clock.now()).await.map_err(late)?;
        tracing::info!(user = %user.id, "the owner account was made");
        self.open_session(user, device).await
    }

    /// Makes the owner that the operator's configuration names, unless somebody has an account already; says whether
    /// it did. Every start may call it.
    pub async fn make_configured_owner(&self, email: &str, password: &str) -> Result<bool, IdentityError> {
        let inner = &self.inner;
        if !inner.database.needs_setup().await? {
            return Ok(false);
        }
        let name = email.trim().split('@').next().unwrap_or_default();
        let new = self.first_owner(name, email, password).await?;
        match inner.database.create_first_owner(new, inner.clock.now()).await.map_err(late) {
            Ok(user) => {
                tracing::info!(user = %user.id, "the configured owner account was made");
                Ok(true)
            }
            // Another replica was quicker.
            Err(IdentityError::AlreadySetUp) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn first_owner(&self, name: &str, email: &str, password: &str) -> Result<NewUser, IdentityError> {
        let mut report = Report::new();
        let name = report.check("name", validation::name(name));
        report.check("password", validation::password(password, email));
        let email = report.check("email", validation::email(email));
        let (Some(name), Some(email)) = (name, email) else {
            return Err(IdentityError::Invalid(report.into_errors()));
        };
        report.finish()?;
        let password_hash = self.inner.passwords.hash(password).await?;
        Ok(NewUser { name, email, role: Role::Owner, password_hash })
    }
}

fn late(error: StorageError) -> IdentityError {
    match error {
        StorageError::Refused(_) => IdentityError::AlreadySetUp,
        error => error.into(),
    }
}

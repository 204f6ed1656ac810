//! What can go wrong at the door.

use std::time::Duration;

use serde::Serialize;
use stoa_storage::StorageError;

/// One field of a request that cannot be taken, with a sentence for the person who filled it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nothing good was presented: unknown, ended, expired, or its owner may not sign in.
    #[error("not signed in")]
    Unauthenticated,
    /// The address or the password is wrong; which of them, nobody is told.
    #[error("the address or the password is wrong")]
    WrongCredentials,
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    /// The principal may not do this through the door it came by.
    #[error("not allowed")]
    Forbidden,
    /// No link: unknown, ended, or past its time.
    #[error("no such link")]
    NoSuchLink,
    #[error("the request holds values that cannot be taken")]
    Invalid(Vec<FieldError>),
    #[error("the owner has been made already")]
    AlreadySetUp,
    #[error("the set-up token is missing or wrong")]
    WrongSetupToken,
    /// Every place to check passwords is taken; trying again in a moment helps.
    #[error("too many passwords are being checked")]
    Busy,
    /// The password algorithm refused, or a stored hash cannot be read.
    #[error("a password could not be processed: {0}")]
    Password(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl IdentityError {
    pub(crate) fn field(field: &str, message: &str) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}

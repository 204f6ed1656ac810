//! The one identity door: whatever a caller presents, a cookie or an API key, becomes one `Principal` here or nothing.
//!
//! [`Door::authenticate`] answers from memory while the feed of changes is fresh and from the database otherwise.
//! [`Door::watch`] tells whoever keeps something open for a principal, such as a stream, that the principal is no longer
//! good. The rest are the few things that touch a password or a key: set-up, sign-in, accounts.

mod accounts;
mod api_key;
mod cache;
pub mod cookie;
mod door;
mod error;
mod feed;
mod function;
pub mod jwt;
mod known_passwords;
mod password;
mod setup;
mod sharing;
mod sign_in;
mod throttle;
mod token;
pub mod validation;
mod watch;

pub use accounts::{AccountChange, NewAccount, NewKey, PasswordChange};
pub use api_key::ApiKeyText;
pub use door::{Credential, Device, Door};
pub use error::{FieldError, IdentityError};
pub use function::{FunctionPass, FunctionToken};
pub use setup::{NewOwner, SetupState, SetupToken};
pub use sharing::NewLink;
pub use sign_in::{SignIn, SignedIn};
pub use token::{SessionToken, ShareToken};
pub use watch::{Ended, Revocation};

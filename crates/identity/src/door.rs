//! The door itself: a credential goes in, a principal comes out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use stoa_model::{Clock, Principal, Timestamp, Via};
use stoa_storage::{Database, StorageError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::{Cache, CacheKey, Entry};
use crate::function::Passes;
use crate::password::Passwords;
use crate::throttle::Throttle;
use crate::watch::Watched;
use crate::{ApiKeyText, FunctionToken, IdentityError, Revocation, SessionToken, SetupToken, feed};

/// How long a session lasts after it was last used.
pub(crate) const SESSION_LASTS: Duration = Duration::from_hours(30 * 24);
/// Use of a session is written down at most this often.
const NOTE_SESSION: Duration = Duration::from_mins(5);
/// Use of an API key is written down at most this often.
const NOTE_API_KEY: Duration = Duration::from_mins(1);

/// What a caller presents, as text from outside.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// The value of the session cookie.
    Cookie(&'a str),
    /// A bearer token.
    ApiKey(&'a str),
    /// What a function shows; good only where none but functions of this server come in.
    Function(&'a str),
    /// The end of the address of a link, and who opens it, if they are signed in.
    Link { token: &'a str, visitor: Option<&'a Principal> },
}

/// Where somebody signs in from, as the session list shows it.
#[derive(Clone, Debug)]
pub struct Device {
    pub address: IpAddr,
    pub user_agent: String,
    /// This very machine, and no proxy between.
    pub at_the_machine: bool,
}

/// A handle on the door; clones are the same door.
#[derive(Clone)]
pub struct Door {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) setup_token: SetupToken,
    pub(crate) watched: Watched,
    pub(crate) cache: Cache,
    pub(crate) passes: Passes,
    pub(crate) tracker: TaskTracker,
}

impl Door {
    /// Opens the door on `database`. The `setup_token` is asked for when the first account is made from elsewhere. The
    /// listener for changes runs on `tracker` until `shutdown`.
    pub fn open(
        database: Database,
        clock: Arc<dyn Clock>,
        setup_token: SetupToken,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let inner = Arc::new(Inner {
            cache: Cache::new(database.notices()),
            database,
            clock,
            passwords: Passwords::new(),
            throttle: Throttle::new(),
            setup_token,
            watched: Watched::default(),
            passes: Passes::default(),
            tracker: tracker.clone(),
        });
        let heard = inner.database.notices().subscribe();
        tracker.spawn(feed::follow(Arc::clone(&inner), heard, shutdown));
        Self { inner }
    }

    /// How long a session lasts, for the `Max-Age` of its cookie.
    pub const fn session_lasts() -> Duration {
        SESSION_LASTS
    }

    /// Whoever holds `credential`, with the rights of this moment.
    ///
    /// Answers [`IdentityError::Unauthenticated`] for whatever is not good, and an unavailable database with
    /// [`IdentityError::Storage`]; nobody is let in on old knowledge while changes may have been missed.
    pub async fn authenticate(&self, credential: Credential<'_>) -> Result<Principal, IdentityError> {
        match credential {
            Credential::Cookie(text) => {
                let token = SessionToken::parse(text).ok_or(IdentityError::Unauthenticated)?;
                self.authenticate_session(&token).await
            }
            Credential::ApiKey(text) => {
                let key = ApiKeyText::parse(text).ok_or(IdentityError::Unauthenticated)?;
                self.authenticate_api_key(&key).await
            }
            Credential::Function(text) => {
                let token = FunctionToken::parse(text).ok_or(IdentityError::Unauthenticated)?;
                self.authenticate_function(&token).await
            }
            Credential::Link { token, visitor } => self.open_link(token, visitor).await,
        }
    }

    /// Where to run what changes somebody's rights, so that it ends although nobody waits for it any more.
    pub fn tasks(&self) -> &TaskTracker {
        &self.inner.tracker
    }

    /// Tells when `principal` is no longer good, for whoever keeps something open for it.
    pub fn watch(&self, principal: &Principal) -> Revocation {
        self.inner.watched.watch(principal, self.inner.clock.now())
    }

    async fn authenticate_session(&self, token: &SessionToken) -> Result<Principal, IdentityError> {
        let now = self.inner.clock.now();
        let key = token.hash();
        let entry = match self.inner.cache.get(&key, now) {
            Ok(entry) => entry,
            Err(seen) => {
                let found = self.inner.database.session_by_token(&key, now).await?;
                let signed_in = found.ok_or(IdentityError::Unauthenticated)?;
                let entry = Entry {
                    principal: Principal::User {
                        id: signed_in.user.id,
                        role: signed_in.user.role,
                        epoch: signed_in.user.epoch,
                        via: Via::Session(signed_in.session.id),
                    },
                    expires_at: Some(signed_in.session.expires_at),
                    read_at: now,
                    noted_at: Some(signed_in.session.last_seen_at),
                };
                self.inner.cache.put(key, entry.clone(), seen);
                entry
            }
        };
        self.note_use(key, &entry, NOTE_SESSION, now);
        Ok(entry.principal)
    }

    async fn authenticate_api_key(&self, text: &ApiKeyText) -> Result<Principal, IdentityError> {
        let now = self.inner.clock.now();
        let key = text.cache_key();
        let entry = match self.inner.cache.get(&key, now) {
            Ok(entry) => entry,
            Err(seen) => {
                let found = self.inner.database.api_key_by_id(text.id(), now).await?;
                let (api_key, user) = found
                    .filter(|(api_key, _)| text.matches(&api_key.secret_hash))
                    .ok_or(IdentityError::Unauthenticated)?;
                let entry = Entry {
                    principal: Principal::User {
                        id: user.id,
                        role: user.role,
                        epoch: user.epoch,
                        via: Via::ApiKey { id: api_key.id, scopes: api_key.scopes },
                    },
                    expires_at: api_key.expires_at,
                    read_at: now,
                    noted_at: api_key.last_used_at,
                };
                self.inner.cache.put(key, entry.clone(), seen);
                entry
            }
        };
        self.note_use(key, &entry, NOTE_API_KEY, now);
        Ok(entry.principal)
    }

    /// Writes down that a credential was used, seldom and behind the request's back. That it cannot be written, such
    /// as on a full disk, keeps nobody out.
    fn note_use(&self, key: CacheKey, entry: &Entry, seldom: Duration, now: Timestamp) {
        if entry.noted_at.is_some_and(|noted| now.since(noted) < seldom) {
            return;
        }
        self.inner.cache.noted(&key, now);
        let Principal::User { id: user, via, .. } = entry.principal.clone() else { return };
        let inner = Arc::clone(&self.inner);
        self.inner.tracker.spawn(async move {
            let noted = match via {
                Via::Session(id) => inner.database.touch_session(id, user, SESSION_LASTS, now).await,
                Via::ApiKey { id, .. } => inner.database.touch_api_key(id, now).await,
                // They last as long as the instances that have them.
                Via::Function { .. } => Ok(()),
            };
            match noted {
                Ok(()) | Err(StorageError::NotFound) => {}
                Err(error) => tracing::warn!(%error, %user, "the use of a credential could not be written down"),
            }
        });
    }
}

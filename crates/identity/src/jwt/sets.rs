//! Keys that an issuer publishes at an address: read through the one way out, kept for an hour, and read again for a token that
//! names an unknown key, though not often.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use stoa_egress::{Egress, Limits, Redirects, Request, Target, describe};
use stoa_model::{Clock, Timestamp};

use super::{Claims, Expected, JwtError, KeySet, Unverified};

const KEPT: Duration = Duration::from_hours(1);
/// While it cannot be read anew, a set is good for so long.
const STALE: Duration = Duration::from_hours(24);
/// Between two tries, whatever tokens say.
const PAUSE: Duration = Duration::from_secs(30);
const WITHIN: Duration = Duration::from_secs(10);
const MAX_BYTES: u64 = 256 * 1024;
/// Addresses whose keys are kept.
const MAX_SETS: usize = 1_000;

/// The keys of an issuer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys cannot be read: {0}")]
pub struct KeysUnavailable(String);

/// Why nobody is let in by a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Token(#[from] JwtError),
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
}

#[derive(Default)]
struct Set {
    keys: Mutex<Option<Kept>>,
    /// Held by whoever reads them anew; nobody else waits for that whose token is of a known key.
    reading: tokio::sync::Mutex<Tried>,
}

#[derive(Clone)]
struct Kept {
    keys: Arc<KeySet>,
    at: Timestamp,
}

#[derive(Default)]
struct Tried {
    at: Option<Timestamp>,
    fault: Option<KeysUnavailable>,
}

impl Set {
    /// Keys that are good enough: young, and with one that may have signed the token.
    fn known(&self, token: &Unverified<'_>, now: Timestamp) -> Option<Arc<KeySet>> {
        let kept = self.kept()?;
        (now.since(kept.at) < KEPT && token.is_known_to(&kept.keys)).then_some(kept.keys)
    }

    fn kept(&self) -> Option<Kept> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Place = Arc<Set>;

/// Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct KeySets {
    egress: Egress,
    clock: Arc<dyn Clock>,
    sets: Arc<Mutex<HashMap<String, Place>>>,
}

impl fmt::Debug for KeySets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySets").finish_non_exhaustive()
    }
}

impl KeySets {
    pub fn new(egress: Egress, clock: Arc<dyn Clock>) -> Self {
        Self { egress, clock, sets: Arc::default() }
    }

    /// What a token says, by the keys at an address. Only a token that is in order as far as one can tell without them has
    /// the address asked.
    pub async fn verify(&self, token: &str, url: &str, expected: Expected<'_>) -> Result<Claims, NotAdmitted> {
        let token = Unverified::read(token)?;
        let set = self.place(url);
        let keys = match set.known(&token, self.clock.now()) {
            Some(keys) => keys,
            None => self.anew(&set, &token, url).await?,
        };
        Ok(token.verify(&keys, expected, self.clock.now())?)
    }

    async fn anew(&self, set: &Set, token: &Unverified<'_>, url: &str) -> Result<Arc<KeySet>, KeysUnavailable> {
        let mut tried = set.reading.lock().await;
        let now = self.clock.now();
        // Somebody else has read them while we waited.
        if let Some(keys) = set.known(token, now) {
            return Ok(keys);
        }
        if tried.at.is_none_or(|at| now.since(at) >= PAUSE) {
            tried.at = Some(now);
            match self.fetch(url).await {
                Ok(keys) => {
                    let kept = Kept { keys: Arc::new(keys), at: now };
                    *set.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
                    tried.fault = None;
                }
                Err(fault) => {
                    tracing::warn!(%fault, url, "keys are not read anew");
                    tried.fault = Some(fault);
                }
            }
        }
        let kept = set.kept().filter(|kept| now.since(kept.at) < STALE);
        let fault = || tried.fault.clone().unwrap_or_else(|| KeysUnavailable("try again in a moment".to_owned()));
        kept.map(|kept| kept.keys).ok_or_else(fault)
    }

    fn place(&self, url: &str) -> Place {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = sets.get(url) {
            return Arc::clone(place);
        }
        if sets.len() >= MAX_SETS {
            sets.clear();
        }
        Arc::clone(sets.entry(url.to_owned()).or_default())
    }

    async fn fetch(&self, url: &str) -> Result<KeySet, KeysUnavailable> {
        let unavailable = |error: &dyn fmt::Display| KeysUnavailable(error.to_string());
        let target = Target::parse(url).map_err(|error| unavailable(&error))?;
        let limits = Limits {
            head: WITHIN,
            idle: WITHIN,
            total: WITHIN,
            body_bytes: MAX_BYTES,
            redirects: Redirects::Safe(3),
            ..Limits::default()
        };
        let answer = Box::pin(self.egress.send(Request::get(target), limits)).await;
        let answer = answer.map_err(|error| KeysUnavailable(describe(&error)))?;
        if answer.status() != StatusCode::OK {
            return Err(KeysUnavailable(format!("the answer is {}", answer.status())));
        }
        let body = answer.into_body().collect().await.map_err(|error| KeysUnavailable(describe(&error)))?;
        KeySet::parse(&body).map_err(|error| unavailable(&error))
    }
}

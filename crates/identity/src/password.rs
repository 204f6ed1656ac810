//! Passwords: argon2id at OWASP's costs, off the threads that serve requests, and only so many at once.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::IdentityError;

/// OWASP Password Storage Cheat Sheet: m=19456 (19 MiB), t=2, p=1.
const PARAMS: Params = Params::DEFAULT;
const SALT_BYTES: usize = 16;
/// How long a request waits for its turn.
const WAIT: Duration = Duration::from_secs(10);

/// What an unknown address is checked against, so that the answer takes as long as for a known one. The hash is of
/// nothing; that it costs the same as a real one is tested.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c3RvYSBub2JvZHkgaGVyZQ$yS6DqXIFNHcIGJpcyKpTNLT1yYQtQ0i4xjD8dEqS2lU";

#[derive(Debug)]
pub(crate) struct Passwords {
    /// One place takes a core and 19 MiB for some 20 ms.
    places: Arc<Semaphore>,
}

impl Passwords {
    /// Half the cores, so that a storm of sign-ins leaves the rest of the server alone.
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { places: Arc::new(Semaphore::new((cores / 2).clamp(1, 8))) }
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        let password = password.to_owned();
        self.run(move || {
            let mut salt = [0; SALT_BYTES];
            rand::rng().fill_bytes(&mut salt);
            let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one behind `hash`. Without a hash it takes as long and says no.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, IdentityError> {
        let password = password.to_owned();
        self.run(move || {
            let known = hash.is_some();
            match argon2().verify_password(password.as_bytes(), hash.as_deref().unwrap_or(NOBODY)) {
                Ok(()) => Ok(known),
                Err(Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| IdentityError::Busy)?
            .map_err(|_| IdentityError::Busy)?;
        // The place goes with the work: a caller that gives up does not free it early.
        spawn_blocking(move || {
            let _place = place;
            work()
        })
        .await
        .map_err(|error| IdentityError::Password(error.to_string()))?
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

fn failed(error: Error) -> IdentityError {
    IdentityError::Password(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_at_the_costs_owasp_names_and_salted() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash("correct horse battery").await.unwrap(), hash);
        assert!(passwords.verify("correct horse battery", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse batterx", Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_is_as_expensive_as_somebody() {
        assert!(!Passwords::new().verify("", None).await.unwrap());
        let hash = Passwords::new().hash("correct horse battery").await.unwrap();
        let costs = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(costs(NOBODY), costs(&hash));
        assert_eq!(NOBODY.len(), hash.len());
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_read_is_an_error_and_no_success() {
        let result = Passwords::new().verify("anything", Some("plain".to_owned())).await;
        assert!(matches!(result, Err(IdentityError::Password(_))));
    }
}

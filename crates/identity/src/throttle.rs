//! Slows guessing down, in memory that does not grow.
//!
//! Each limit is a fixed table of GCRA cells, found by a keyed hash of what is limited. Two that share a cell share its
//! allowance, which can only make the limit stricter; an attacker can neither fill the table nor push a cell out of it.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use stoa_model::Timestamp;

use crate::IdentityError;

const CELLS: usize = 1 << 16;

/// How many attempts at once, and how long until another one is given.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: i64,
    interval_ms: i64,
}

/// Guesses at one account from one place.
const PER_ACCOUNT_AND_PLACE: Rate = Rate { burst: 10, interval_ms: 30_000 };
/// Guesses from one place at whatever account. Wide enough for an office behind one address.
const PER_PLACE: Rate = Rate { burst: 60, interval_ms: 3_000 };

#[derive(Debug)]
struct Limit {
    rate: Rate,
    hasher: RandomState,
    /// When each cell will be as good as new, in milliseconds since 1970. Zeroed pages stay with the kernel until used.
    cells: Box<[AtomicI64]>,
}

impl Limit {
    fn new(rate: Rate) -> Self {
        let cells = std::iter::repeat_with(|| AtomicI64::new(0)).take(CELLS).collect();
        Self { rate, hasher: RandomState::new(), cells }
    }

    fn cell(&self, key: impl Hash) -> &AtomicI64 {
        let hash = usize::try_from(self.hasher.hash_one(key) & (CELLS as u64 - 1)).unwrap_or_default();
        &self.cells[hash]
    }

    /// Takes one attempt, or says how long to wait for one.
    fn take(&self, key: impl Hash, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_millis();
        let tolerance = self.rate.interval_ms * (self.rate.burst - 1);
        let taken = self.cell(key).try_update(Ordering::AcqRel, Ordering::Acquire, |full_again| {
            (full_again - tolerance <= now).then(|| full_again.max(now) + self.rate.interval_ms)
        });
        taken.map(drop).map_err(|full_again| {
            // In whole seconds, as `Retry-After` tells it, and never too few of them.
            Duration::from_secs(u64::try_from(full_again - tolerance - now).unwrap_or_default().div_ceil(1_000))
        })
    }

    /// Gives one attempt back.
    fn refund(&self, key: impl Hash) {
        self.cell(key).fetch_sub(self.rate.interval_ms, Ordering::AcqRel);
    }
}

/// The limits on everything that checks a secret chosen by a person.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_account: Limit,
    per_place: Limit,
}

/// An attempt that has been paid for. Success gives it back, and only it: whoever also knows one password has not won
/// any guesses at another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    account: &'a str,
    place: Place,
}

/// Where an attempt comes from. Whoever has one IPv6 address has the 2^64 around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(u64, bool);

impl Place {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u64::from(address.to_bits()), false),
            IpAddr::V6(address) => Self(u64::try_from(address.to_bits() >> 64).unwrap_or_default(), true),
        }
    }
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self { per_account: Limit::new(PER_ACCOUNT_AND_PLACE), per_place: Limit::new(PER_PLACE) }
    }

    /// Asks for one attempt at `account` (in the one spelling that sign-in compares by) from `address`.
    pub(crate) fn attempt<'a>(
        &'a self,
        account: &'a str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt<'a>, IdentityError> {
        let place = Place::of(address);
        let refused = |retry_after| IdentityError::TooManyAttempts { retry_after };
        self.per_account.take((account, place), now).map_err(refused)?;
        // A refusal by place has not looked at the account: its attempt stays.
        self.per_place.take(place, now).inspect_err(|_| self.per_account.refund((account, place))).map_err(refused)?;
        Ok(Attempt { throttle: self, account, place })
    }
}

impl Attempt<'_> {
    pub(crate) fn succeeded(self) {
        self.throttle.per_account.refund((self.account, self.place));
        self.throttle.per_place.refund(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    fn wait(result: Result<Attempt<'_>, IdentityError>) -> Option<Duration> {
        match result {
            Ok(_) => None,
            Err(IdentityError::TooManyAttempts { retry_after }) => Some(retry_after),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_eleventh_guess_waits_and_the_wait_is_told() {
        let throttle = Throttle::new();
        for _ in 0..10 {
            assert_eq!(wait(throttle.attempt("ada@example.org", HOME, at(0))), None);
        }
        assert_eq!(wait(throttle.attempt("ada@example.org", HOME, at(0))), Some(Duration::from_secs(30)));
        assert_eq!(wait(throttle.attempt("ada@example.org", HOME, at(29))), Some(Duration::from_secs(1)));
        assert_eq!(wait(throttle.attempt("ada@example.org", HOME, at(30))), None);
        assert_eq!(wait(throttle.attempt("ada@example.org", HOME, at(30))), Some(Duration::from_secs(30)));
        assert_eq!(wait(throttle.attempt("ada@example.org", ELSEWHERE, at(30))), None);
    }

    #[test]
    fn one_place_may_not_try_one_password_on_everybody() {
        let throttle = Throttle::new();
        let refused = (0..200).filter(|n| throttle.attempt(&format!("{n}@example.org"), HOME, at(0)).is_err()).count();
        assert_eq!(refused, 140);
        assert!(throttle.attempt("ada@example.org", ELSEWHERE, at(0)).is_ok());
    }

    #[test]
    fn a_success_gives_back_its_own_attempt_only() {
        let throttle = Throttle::new();
        for _ in 0..10 {
            let _ = throttle.attempt("victim@example.org", HOME, at(0));
        }
        for _ in 0..100 {
            throttle.attempt("own@example.org", HOME, at(0)).unwrap().succeeded();
        }
        assert!(throttle.attempt("victim@example.org", HOME, at(0)).is_err());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_place() {
        let place = |text: &str| Place::of(text.parse().unwrap());
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
        assert_eq!(place("::ffff:192.0.2.1"), Place::of(HOME));
    }
}

//! Which version a call gets: the one that is named, or the one that its alias chooses for this caller.

use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest as _, Sha256};
use stoa_model::function::Sticky;
use stoa_storage::CallableFunction;

use crate::service::ServiceError;

/// What is called of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What the next version will be made of.
    Latest,
    Version(u32),
    Alias(String),
}

impl Target {
    /// As people write it: `latest`, a number, or a name.
    pub fn parse(text: &str) -> Self {
        match text {
            "latest" => Self::Latest,
            number if number.parse::<u32>().is_ok() => Self::Version(number.parse().unwrap_or_default()),
            name => Self::Alias(name.to_owned()),
        }
    }
}

/// Where a caller stands between all versions of an alias: by what it shows, the same every time, or else by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(f64);

impl Place {
    pub(crate) fn of(target: &Target, function: &CallableFunction, headers: &HeaderMap) -> Self {
        let Target::Alias(name) = target else { return Self(0.0) };
        let sticky = function.aliases.iter().find(|alias| alias.name == *name).and_then(|alias| alias.sticky.as_ref());
        let shown = sticky.and_then(|sticky| shown(sticky, headers));
        Self(shown.map_or_else(rand::random, |value| place(&function.name, name, value)))
    }

    /// The version that is asked for, and the alias, if it is by one.
    pub(crate) fn version(
        self,
        target: &Target,
        function: &CallableFunction,
    ) -> Result<(Option<u32>, String), ServiceError> {
        match target {
            Target::Latest => Ok((None, String::new())),
            Target::Version(number) => Ok((Some(*number), String::new())),
            Target::Alias(name) => {
                let alias = function.aliases.iter().find(|alias| alias.name == *name);
                let alias = alias.ok_or(ServiceError::NotFound)?;
                Ok((Some(alias.route.choose(self.0)), alias.name.clone()))
            }
        }
    }
}

fn shown<'a>(sticky: &Sticky, headers: &'a HeaderMap) -> Option<&'a str> {
    match sticky {
        Sticky::Header(name) => headers.get(name.as_str())?.to_str().ok(),
        Sticky::Cookie(name) => headers.get_all(COOKIE).iter().find_map(|cookies| {
            let pairs = cookies.to_str().ok()?.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.filter(|(found, _)| found == name).map(|(_, value)| value).next()
        }),
    }
    .filter(|value| !value.is_empty())
}

/// From 0 to 1, spread evenly, and different for each alias: nobody is always the one that things are tried on.
fn place(function: &str, alias: &str, value: &str) -> f64 {
    let mut hash = Sha256::new();
    for part in [function, alias, value] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    let first = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    f64::from(first) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use stoa_model::function::{AliasRoute, Canary, FunctionAlias, HttpAccess, HttpTrigger};
    use stoa_model::{FunctionId, Timestamp, UserId};

    use super::*;

    fn function(percent: u8, sticky: Option<Sticky>) -> CallableFunction {
        let now = Timestamp::from_millis(0);
        let route = AliasRoute { version: 1, canary: Some(Canary { version: 2, percent }) };
        let alias = FunctionAlias { name: "live".to_owned(), route, sticky, previous: None, updated_at: now };
        CallableFunction {
            id: FunctionId::generate(now),
            name: "agent".to_owned(),
            owner: UserId::generate(now),
            http: HttpTrigger { access: HttpAccess::Off, alias: "live".to_owned(), jwt: None, inside: false },
            aliases: vec![alias],
            revision: 1,
            secrets_revision: 0,
        }
    }

    fn choose(function: &CallableFunction, headers: &HeaderMap) -> u32 {
        let target = Target::Alias("live".to_owned());
        Place::of(&target, function, headers).version(&target, function).unwrap().0.unwrap()
    }

    fn headers(name: &'static str, value: String) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())])
    }

    #[test]
    fn targets_are_read_as_people_write_them() {
        let read = ["latest", "3", "live", "3a"].map(Target::parse);
        let named = |name: &str| Target::Alias(name.to_owned());
        assert_eq!(read, [Target::Latest, Target::Version(3), named("live"), named("3a")]);
    }

    #[test]
    fn a_caller_stays_with_a_version_and_the_parts_are_as_asked() {
        let by_header = function(10, Some(Sticky::Header("x-user".to_owned())));
        let mut canaries = 0;
        for user in 0..10_000 {
            let headers = headers("x-user", format!("user-{user}"));
            let version = choose(&by_header, &headers);
            assert!((0..3).all(|_| choose(&by_header, &headers) == version));
            canaries += u32::from(version == 2);
        }
        assert!((850..1_150).contains(&canaries), "{canaries} of 10,000");
        // Whoever was tried on at 10 % is at 50 % as well.
        let at_half = function(50, by_header.aliases[0].sticky.clone());
        for user in 0..1_000 {
            let headers = headers("x-user", format!("user-{user}"));
            assert!(choose(&by_header, &headers) == 1 || choose(&at_half, &headers) == 2);
        }
    }

    #[test]
    fn a_cookie_counts_as_well_and_without_one_it_is_by_chance() {
        let by_cookie = function(50, Some(Sticky::Cookie("who".to_owned())));
        let seen: std::collections::HashSet<_> =
            (0..50).map(|user| choose(&by_cookie, &headers("cookie", format!("a=1; who={user}; b=2")))).collect();
        assert_eq!(seen.len(), 2);
        let one = headers("cookie", "x=y; who=me".to_owned());
        assert!((0..20).all(|_| choose(&by_cookie, &one) == choose(&by_cookie, &one)));
        let by_chance: std::collections::HashSet<_> = (0..200).map(|_| choose(&by_cookie, &HeaderMap::new())).collect();
        assert_eq!(by_chance.len(), 2);
    }
}

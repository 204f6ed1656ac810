//! How a registry asks who is there (RFC 7235, and the token protocol of Distribution).

use http::header::{HeaderMap, WWW_AUTHENTICATE};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scopes: Vec<String> },
}

impl Challenge {
    /// The first challenge that can be met; one for tokens before one for a password.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| Self::parse(value.to_str().ok()?));
        challenges.max_by_key(|challenge| matches!(challenge, Self::Bearer { .. }))
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim_start().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scopes) = (None, None, Vec::new());
        for (key, value) in Parameters(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scopes.extend(value.split_whitespace().map(str::to_owned)),
                _ => {}
            }
        }
        Some(Self::Bearer { realm: realm?, service, scopes })
    }
}

/// `key=value` or `key="value"`, with commas between them.
struct Parameters<'a>(&'a str);

impl Iterator for Parameters<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.trim_start_matches([' ', '\t', ',']).split_once('=')?;
        let (value, rest) = if let Some(quoted) = rest.trim_start().strip_prefix('"') {
            unquote(quoted)
        } else {
            let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
            (value.trim().to_owned(), rest)
        };
        self.0 = rest;
        Some((key.trim().to_owned(), value))
    }
}

/// Reads up to the closing quote; a backslash takes the next character as it is.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(index + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Challenge::read(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scopes: &[&str]) -> Challenge {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned), scopes }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        assert_eq!(
            read(&[
                r#"Bearer realm="https://hub.test/token",service="hub",scope="repository:a/b:pull,push other:x:*""#
            ]),
            Some(bearer("https://hub.test/token", Some("hub"), &["repository:a/b:pull,push", "other:x:*"]))
        );
        assert_eq!(read(&["bearer realm=https://hub.test/token"]), Some(bearer("https://hub.test/token", None, &[])));
        assert_eq!(
            read(&[r#"BEARER  scope="a" , realm = "quo\"te\\d", extra=1"#]),
            Some(bearer(r#"quo"te\d"#, None, &["a"]))
        );
        assert_eq!(read(&[r#"Basic realm="Registry""#]), Some(Challenge::Basic));
        assert_eq!(read(&["basic"]), Some(Challenge::Basic));
        assert_eq!(read(&["Basic realm=x", r#"Bearer realm="y""#]), Some(bearer("y", None, &[])));
    }

    #[test]
    fn what_cannot_be_met_is_no_challenge() {
        for value in ["", "Bearer", "Bearer service=x", "Negotiate", "Digest realm=x", "Bearer realm", "Bear realm=x"] {
            assert_eq!(read(&[value]), None, "{value}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[r#"Bearer realm="open"#]), Some(bearer("open", None, &[])));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,80}|Bearer ([a-z]{0,5}[=\", \\\\]{1,3}){0,12}") {
            let _ = Challenge::parse(&text);
        }
    }
}

//! The session cookie: how it is written and found again (RFC 6265).

use std::time::Duration;

use crate::SessionToken;

pub const NAME: &str = "stoa_session";

/// The `Set-Cookie` value that hands `token` to a browser. `secure` when the page came over TLS.
pub fn set(token: &SessionToken, lasts: Duration, secure: bool) -> String {
    write(&token.to_text(), lasts.as_secs(), secure)
}

/// The `Set-Cookie` value that takes the token away again.
pub fn clear(secure: bool) -> String {
    write("", 0, secure)
}

fn write(value: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")
}

/// The session token in the value of a `Cookie` header, the first where there are several.
pub fn find(header: &str) -> Option<&str> {
    header.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == NAME).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let token = SessionToken::parse(&"A".repeat(43)).unwrap();
        let value = set(&token, Duration::from_hours(720), false);
        assert_eq!(value, format!("stoa_session={}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", "A".repeat(43)));
        assert!(set(&token, Duration::from_secs(1), true).ends_with("; Secure"));
        assert_eq!(clear(false), "stoa_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        assert_eq!(find("theme=dark; stoa_session=abc; x=y"), Some("abc"));
        assert_eq!(find("stoa_session=\"abc\""), Some("abc"));
        assert_eq!(find("not_stoa_session=abc; stoa_sessions=x; ; ="), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in ".{0,200}") {
            let _ = find(&header);
        }
    }
}

//! What people may type: names, e-mail addresses, passwords. Every rule answers with the field and a sentence.

use crate::known_passwords::is_known;
use crate::{FieldError, IdentityError};

const NAME_CHARS: usize = 100;
const EMAIL_BYTES: usize = 254;
const PASSWORD_MIN_CHARS: usize = 10;
/// Longer input is refused before it is hashed.
const PASSWORD_MAX_BYTES: usize = 1_024;

/// Collects what is wrong with a form, so that one answer names every field.
#[derive(Debug, Default)]
pub struct Report(Vec<FieldError>);

impl Report {
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps what `checked` found wrong with `field`; hands on the value otherwise.
    pub fn check<T>(&mut self, field: &str, checked: Result<T, String>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(message) => {
                self.0.push(FieldError::new(field, message));
                None
            }
        }
    }

    pub const fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_errors(self) -> Vec<FieldError> {
        self.0
    }

    /// Goes on when nothing is wrong.
    pub fn finish(self) -> Result<(), IdentityError> {
        if self.0.is_empty() { Ok(()) } else { Err(IdentityError::Invalid(self.0)) }
    }
}

/// A name of a person or thing, without the white space around it: 1 to 100 characters, none of which control how text
/// is shown.
pub fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("Enter a name.".to_owned())
    } else if text.chars().count() > NAME_CHARS {
        Err(format!("Use at most {NAME_CHARS} characters."))
    } else if text.chars().any(is_control) {
        Err("Leave out control characters.".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Characters of the categories Cc, and those that turn the direction of text around.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An e-mail address in its usual form. Whether mail arrives there, only mail can tell.
pub fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() > EMAIL_BYTES {
        return Err(format!("Use at most {EMAIL_BYTES} characters."));
    }
    if is_email(text) {
        Ok(text.to_owned())
    } else {
        Err("Enter an e-mail address such as ada@example.org.".to_owned())
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_fits = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_fits && domain.split('.').all(label_fits)
}

/// A password that is long enough and not one of the first that anybody would try.
pub fn password(text: &str, email: &str) -> Result<(), String> {
    if text.len() > PASSWORD_MAX_BYTES {
        return Err(format!("Use at most {PASSWORD_MAX_BYTES} bytes."));
    }
    if text.chars().count() < PASSWORD_MIN_CHARS {
        return Err(format!("Use at least {PASSWORD_MIN_CHARS} characters."));
    }
    let folded = text.trim().to_lowercase();
    let email = email.trim().to_lowercase();
    if folded == email || email.split('@').next().is_some_and(|local| folded == local) {
        return Err("Choose a password that is not the e-mail address.".to_owned());
    }
    if is_known(&folded) || is_simple(&folded) {
        return Err("Choose a password that is harder to guess.".to_owned());
    }
    Ok(())
}

/// Whether a password is short enough to be looked at: sign-in refuses the rest without hashing it.
pub(crate) const fn may_be_password(text: &str) -> bool {
    text.len() <= PASSWORD_MAX_BYTES
}

/// Few different characters, or each the one after (or before) the last.
fn is_simple(folded: &str) -> bool {
    let characters: Vec<u32> = folded.chars().map(u32::from).collect();
    let distinct: std::collections::HashSet<_> = characters.iter().collect();
    let steps = |step: i64| characters.windows(2).all(|pair| i64::from(pair[1]) - i64::from(pair[0]) == step);
    distinct.len() < 4 || steps(1) || steps(-1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_trimmed_and_hold_no_control_characters() {
        assert_eq!(name("  Ada Lovelace "), Ok("Ada Lovelace".to_owned()));
        assert_eq!(name("张伟"), Ok("张伟".to_owned()));
        assert!(name(&"é".repeat(100)).is_ok());
        for bad in ["", "   ", "a\nb", "a\u{0}b", "a\u{202e}b", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ordinary_addresses_pass() {
        for good in [
            "ada@example.org",
            " Ada.Lovelace+stoa@sub.example.org ",
            "owner@localhost",
            "o'neil@b-c.io",
            "用户@例子.cn",
        ] {
            assert!(email(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn what_is_no_address_does_not() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}org", "abcdefgh.".repeat(30));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@@example.org",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@example..org",
            ".ada@example.org",
            "ada@-example.org",
            "ada@example.org\r\nBcc: x@y.z",
            "ada@example.org\u{0}",
            "<ada@example.org>",
            long.as_str(),
            longer.as_str(),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        let refused = |text: &str| password(text, "adalovelace@example.org").unwrap_err();
        assert!(refused("short").contains("at least 10"));
        assert!(refused("Password123!").contains("harder"));
        assert!(refused("aaaaaaaaaaaaa").contains("harder"));
        assert!(refused("abababababab").contains("harder"));
        assert!(refused("abcdefghijkl").contains("harder"));
        assert!(refused("9876543210").contains("harder"));
        assert!(refused("AdaLovelace@example.org").contains("not the e-mail"));
        assert!(refused("adalovelace").contains("not the e-mail"));
        assert!(refused(&"long enough ".repeat(100)).contains("1024 bytes"));
    }

    #[test]
    fn a_password_is_counted_in_characters_and_capped_in_bytes() {
        assert!(password("correct horse battery", "ada@example.org").is_ok());
        assert!(password("十个汉字组成的密码呀", "ada@example.org").is_ok());
        assert!(password("短密码", "ada@example.org").is_err());
        assert!(password(&"0123456789abcdef".repeat(64), "ada@example.org").is_ok());
        assert!(password(&format!("{}x", "0123456789abcdef".repeat(64)), "ada@example.org").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in ".{0,300}", other in ".{0,50}") {
            let _ = (name(&text), email(&text), password(&text, &other));
        }
    }
}

//! Constants as Go writes them: strings, characters and numbers.

use crate::lexer::Kind;

/// A string in double quotes at the beginning of `rest`, and how many bytes it takes.
pub(super) fn quoted(rest: &str) -> Result<(String, usize), String> {
    let mut bytes = Vec::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => {
                let text = String::from_utf8(bytes).map_err(|_| "a string is no valid UTF-8".to_owned())?;
                return Ok((text, index + 1));
            }
            '\n' => break,
            '\\' => {
                let (escaped, length) = escape(&rest[index + 1..])?;
                bytes.extend(escaped);
                while characters.next_if(|(next, _)| *next < index + 1 + length).is_some() {}
            }
            character => bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a string does not end".to_owned())
}

/// A string between back quotes, in which nothing is escaped.
pub(super) fn raw(rest: &str) -> Result<(String, usize), String> {
    let (text, _) = rest[1..].split_once('`').ok_or_else(|| "a raw string does not end".to_owned())?;
    Ok((text.replace('\r', ""), text.len() + 2))
}

/// A character in single quotes stands for its number.
pub(super) fn character(rest: &str) -> Result<(i64, usize), String> {
    let wrong = || "a character constant is not valid".to_owned();
    let inside = &rest[1..];
    let (value, length) = match inside.chars().next() {
        Some('\\') => {
            let (bytes, length) = escape(&inside[1..])?;
            let value = match (bytes.as_slice(), std::str::from_utf8(&bytes)) {
                ([byte], _) => u32::from(*byte),
                (_, Ok(text)) => text.chars().next().map(u32::from).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            };
            (value, length + 1)
        }
        Some(character) if character != '\'' && character != '\n' => (u32::from(character), character.len_utf8()),
        _ => return Err(wrong()),
    };
    if inside[length..].starts_with('\'') { Ok((i64::from(value), length + 2)) } else { Err(wrong()) }
}

/// What follows a backslash, and how many bytes of `rest` that is.
fn escape(rest: &str) -> Result<(Vec<u8>, usize), String> {
    let wrong = || "an escape in a string is not valid".to_owned();
    let number = |from: usize, digits: usize, radix: u32| {
        let digits = rest.get(from..from + digits).ok_or_else(wrong)?;
        u32::from_str_radix(digits, radix).map_err(|_| wrong())
    };
    let text = |code: u32| {
        let character = char::from_u32(code).ok_or_else(wrong)?;
        Ok::<_, String>(character.encode_utf8(&mut [0; 4]).as_bytes().to_vec())
    };
    let byte = |code: u32| u8::try_from(code).map(|byte| vec![byte]).map_err(|_| wrong());
    match rest.chars().next().ok_or_else(wrong)? {
        'a' => Ok((vec![7], 1)),
        'b' => Ok((vec![8], 1)),
        'f' => Ok((vec![12], 1)),
        'n' => Ok((vec![b'\n'], 1)),
        'r' => Ok((vec![b'\r'], 1)),
        't' => Ok((vec![b'\t'], 1)),
        'v' => Ok((vec![11], 1)),
        same @ ('\\' | '\'' | '"') => Ok((same.to_string().into_bytes(), 1)),
        'x' => Ok((byte(number(1, 2, 16)?)?, 3)),
        'u' => Ok((text(number(1, 4, 16)?)?, 5)),
        'U' => Ok((text(number(1, 8, 16)?)?, 9)),
        '0'..='7' => Ok((byte(number(0, 3, 8)?)?, 3)),
        _ => Err(wrong()),
    }
}

/// A number of any of Go's forms but the complex ones.
pub(super) fn number(text: &str) -> Result<Kind, String> {
    let wrong = || format!("{text:?} is no number");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let (radix, integer) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit()) => {
            (8, &lower[1..])
        }
        _ => (10, lower.as_str()),
    };
    // `from_str_radix` and `parse` would take a second sign.
    if integer.starts_with(['+', '-']) {
        return Err(wrong());
    }
    if let Ok(value) = i128::from_str_radix(integer, radix) {
        let value = if negative { -value } else { value };
        return i64::try_from(value).map(Kind::Int).map_err(|_| format!("{text} is too large"));
    }
    let is_decimal = lower.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    let value = lower.parse::<f64>().ok().filter(|value| is_decimal && value.is_finite()).ok_or_else(wrong)?;
    Ok(Kind::Float(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_as_go_reads_them() {
        assert_eq!(quoted(r#""a\n\x41\u00e9\101\"" rest"#), Ok(("a\nAéA\"".to_owned(), 21)));
        assert_eq!(quoted("\"é\" x"), Ok(("é".to_owned(), 4)));
        assert_eq!(raw("`a\\n\r\n` x"), Ok(("a\\n\n".to_owned(), 7)));
        for wrong in ["\"", "\"a\nb\"", r#""\"#, r#""\q""#, r#""\x4""#, r#""\xff""#, r#""\ud800""#] {
            assert!(quoted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn characters_are_numbers() {
        assert_eq!(character("'a' x"), Ok((97, 3)));
        assert_eq!(character(r"'\n'"), Ok((10, 4)));
        assert_eq!(character("'é'"), Ok((233, 4)));
        for wrong in ["''", "'", "'ab'", "'\\'"] {
            assert!(character(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_have_many_forms() {
        for (text, value) in [
            ("0", 0),
            ("42", 42),
            ("-1", -1),
            ("+7", 7),
            ("0x1F", 31),
            ("0b11", 3),
            ("0o17", 15),
            ("017", 15),
            ("1_000", 1_000),
        ] {
            assert_eq!(number(text), Ok(Kind::Int(value)), "{text}");
        }
        for (text, value) in [("1.5", 1.5), ("-.5", -0.5), ("1e3", 1_000.0), ("2E-1", 0.2)] {
            assert_eq!(number(text), Ok(Kind::Float(value)), "{text}");
        }
        for wrong in ["1x", "0x", "--1", "1.2.3", "9223372036854775808", "infinity", "1e999", "-", "0b12"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}

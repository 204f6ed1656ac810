//! The name under which an answer is kept, as RFC 6266 and RFC 8187 write it.

use http::HeaderValue;

/// Shown in its place.
pub(crate) fn inline(stem: &str, ending: &str) -> HeaderValue {
    written("inline", stem, ending)
}

/// Kept as a file.
pub(crate) fn attachment(stem: &str, ending: &str) -> HeaderValue {
    written("attachment", stem, ending)
}

/// Kept as a file, under a name that has its ending already or needs none.
pub(crate) fn attachment_named(name: &str) -> HeaderValue {
    of("attachment", name)
}

fn written(kind: &'static str, stem: &str, ending: &str) -> HeaderValue {
    of(kind, &format!("{stem}.{ending}"))
}

fn of(kind: &'static str, name: &str) -> HeaderValue {
    let mut text = format!("{kind}; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(inline("cat", "png"), "inline; filename*=UTF-8''cat.png");
        assert_eq!(attachment_named("a/..\n"), "attachment; filename*=UTF-8''a%2F..%0A");
        assert_eq!(attachment("a\"; x=\r\n猫", "md"), "attachment; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%E7%8C%AB.md");
    }
}

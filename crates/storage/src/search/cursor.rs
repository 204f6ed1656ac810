//! Where a page of results ends. Matches are taken in stretches, newest first, and put in order of their score within each;
//! the cursor names the stretch and the last result of it, so that what comes or goes meanwhile moves nothing.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cursor::MalformedCursor;

/// Titles come before messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Title,
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchCursor {
    pub(super) kind: Kind,
    /// The newest entry of the stretch, or below which it begins.
    pub(super) top: i64,
    /// Nothing of the stretch has been given out when absent.
    pub(super) inside: Option<Inside>,
}

/// A place within a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Inside {
    /// The oldest entry of the stretch.
    pub(super) bottom: i64,
    pub(super) score: f64,
    pub(super) id: i64,
}

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![u8::from(self.kind == Kind::Message)];
        bytes.extend(self.top.to_be_bytes());
        if let Some(inside) = self.inside {
            bytes.extend(inside.bottom.to_be_bytes());
            bytes.extend(inside.score.to_be_bytes());
            bytes.extend(inside.id.to_be_bytes());
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for SearchCursor {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedCursor)?;
        let (kind, rest) = bytes.split_first().ok_or(MalformedCursor)?;
        let kind = match kind {
            0 => Kind::Title,
            1 => Kind::Message,
            _ => return Err(MalformedCursor),
        };
        let (numbers, []) = rest.as_chunks::<8>() else { return Err(MalformedCursor) };
        let number = i64::from_be_bytes;
        match *numbers {
            [top] => Ok(Self { kind, top: number(top), inside: None }),
            [top, bottom, score, id] => {
                let inside = Inside { bottom: number(bottom), score: f64::from_be_bytes(score), id: number(id) };
                Ok(Self { kind, top: number(top), inside: Some(inside) })
            }
            _ => Err(MalformedCursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_text_and_back(title: bool, top: i64, inside in proptest::option::of((any::<i64>(), 0.0..2.0, any::<i64>()))) {
            let kind = if title { Kind::Title } else { Kind::Message };
            let inside = inside.map(|(bottom, score, id)| Inside { bottom, score, id });
            let cursor = SearchCursor { kind, top, inside };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_none(text in any::<String>()) {
            let _ = text.parse::<SearchCursor>();
        }
    }
}

//! Joins bytes of tokens into whole characters.

/// A token may end in the middle of a character; the beginning waits here for its end.
#[derive(Debug, Default)]
pub struct Utf8Joiner {
    pending: Vec<u8>,
}

impl Utf8Joiner {
    /// All characters that are whole now. Bytes that can never become one turn into U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(invalid) = error.error_len() else {
                        rest = after;
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[invalid..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }

    /// What is left when no more bytes come.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cut_of_any_bytes_gives_the_text_of_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 1_usize..9,
        ) {
            let mut joiner = Utf8Joiner::default();
            let mut text: String = bytes.chunks(cut).map(|chunk| joiner.push(chunk)).collect();
            text.push_str(&joiner.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn a_text_never_shows_a_broken_character(text in any::<String>(), cut in 1_usize..5) {
            let mut joiner = Utf8Joiner::default();
            let joined: String = text.as_bytes().chunks(cut).map(|chunk| joiner.push(chunk)).collect();
            prop_assert_eq!(joined, text);
        }
    }
}

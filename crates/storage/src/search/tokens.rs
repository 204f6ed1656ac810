//! The one tokeniser: words, and the characters of scripts without spaces one by one. What is indexed and what is looked
//! for are made of the same atoms.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_normalization::char::canonical_combining_class;

use super::fold::fold;

/// Bytes of one word; a longer one is known by its beginning.
const WORD_BYTES: usize = 64;
/// Bytes of all different tokens of one text: PostgreSQL takes no vector of a MiB.
const TOKEN_BYTES: usize = 500_000;

/// A word, or one character of a script that is written without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    /// Where its folded letters are in [`Atoms::letters`].
    letters: Range<usize>,
    /// Where it is in the original, in bytes.
    pub(super) place: Range<usize>,
    /// One character of a script without spaces.
    pub(super) single: bool,
    /// Nothing stands between the atom before and this one, and both are single.
    pub(super) glued: bool,
}

/// A text taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Atoms {
    letters: String,
    all: Vec<Atom>,
}

impl Atoms {
    pub(super) fn of(text: &str) -> Self {
        let mut atoms = Self { letters: String::with_capacity(text.len()), all: Vec::new() };
        // Whether the letter before was part of an atom.
        let mut inside = false;
        fold(text, |letter, place| {
            let single = is_single(letter);
            if !single && !is_letter(letter) {
                inside = false;
                return;
            }
            let last = atoms.all.last_mut().filter(|_| inside);
            inside = true;
            match last {
                Some(last) if !single && !last.single => {
                    if last.letters.len() + letter.len_utf8() <= WORD_BYTES {
                        atoms.letters.push(letter);
                        last.letters.end = atoms.letters.len();
                    }
                    last.place.end = place.end;
                }
                last => {
                    let glued = single && last.is_some_and(|last| last.single);
                    let start = atoms.letters.len();
                    atoms.letters.push(letter);
                    atoms.all.push(Atom { letters: start..atoms.letters.len(), place, single, glued });
                }
            }
        });
        atoms
    }

    pub(super) fn all(&self) -> &[Atom] {
        &self.all
    }

    pub(super) fn letters(&self, atom: &Atom) -> &str {
        &self.letters[atom.letters.clone()]
    }

    /// Two glued single characters, of which `second` is the latter, as they are indexed.
    pub(super) fn pair(&self, first: &Atom, second: &Atom) -> &str {
        &self.letters[first.letters.start..second.letters.end]
    }

    /// What is indexed of the text, each token once: words, single characters, and pairs of those that are glued.
    pub(super) fn tokens(&self) -> BTreeSet<&str> {
        let mut tokens = BTreeSet::new();
        let mut bytes = 0;
        let mut last: Option<&Atom> = None;
        for atom in &self.all {
            let pair = last.filter(|_| atom.glued).map(|last| self.pair(last, atom));
            for token in [Some(self.letters(atom)), pair].into_iter().flatten() {
                if bytes + token.len() <= TOKEN_BYTES && tokens.insert(token) {
                    bytes += token.len();
                }
            }
            last = Some(atom);
        }
        tokens
    }
}

/// Letters, digits, and the signs that some scripts write between letters of one word.
fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || (!letter.is_ascii() && matches!(canonical_combining_class(letter), 7 | 9))
}

/// Whether a letter is of a script whose words are not apart: Han, Kana, Hangul, Bopomofo, Thai, Lao, Khmer, Burmese.
const fn is_single(letter: char) -> bool {
    matches!(letter,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}'
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309D}'..='\u{309F}' | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3105}'..='\u{312F}' | '\u{31A0}'..='\u{31BF}'
        | '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}'
        | '\u{0E01}'..='\u{0E3A}' | '\u{0E40}'..='\u{0E4E}' | '\u{0E81}'..='\u{0ECD}'
        | '\u{1780}'..='\u{17D3}' | '\u{1000}'..='\u{103F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        Atoms::of(text).tokens().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn words_and_pairs_of_characters_are_tokens() {
        assert_eq!(tokens("The Quick, quick fox-trot 3.14"), ["14", "3", "fox", "quick", "the", "trot"]);
        assert_eq!(tokens("用GPT4学习"), ["gpt4", "习", "学", "学习", "用"]);
        assert_eq!(tokens("机器，学习"), ["习", "器", "学", "学习", "机", "机器"]);
        assert_eq!(tokens("  — ✨ \u{200B}"), [""; 0]);
    }

    #[test]
    fn a_long_word_is_known_by_its_beginning() {
        let long = "x".repeat(300);
        assert_eq!(tokens(&long), [&long[..WORD_BYTES]]);
        let atoms = Atoms::of(&long);
        assert_eq!(atoms.all()[0].place, 0..300);
    }

    #[test]
    fn a_text_has_only_so_many_tokens() {
        let many = (0..200_000).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ");
        let atoms = Atoms::of(&many);
        assert!(atoms.tokens().iter().map(|token| token.len()).sum::<usize>() <= TOKEN_BYTES);
    }

    proptest! {
        // Both engines take them as they are only if this holds: nothing that separates words, nothing in capitals, no quotes.
        #[test]
        fn a_token_is_letters_and_digits_alone(text in any::<String>()) {
            for token in tokens(&text) {
                prop_assert!(!token.is_empty() && token.len() <= WORD_BYTES.max(8));
                prop_assert!(token.chars().all(|letter| is_letter(letter) || is_single(letter)));
                prop_assert!(!token.chars().any(|letter| letter.is_ascii_uppercase()));
            }
        }

        #[test]
        fn case_and_width_do_not_matter(text in "[a-z0-9 ,.é]*") {
            let wide: String = text
                .chars()
                .map(|letter| match letter {
                    '!'..='~' => char::from_u32(u32::from(letter) + 0xFEE0).unwrap_or(letter),
                    _ => letter,
                })
                .collect();
            prop_assert_eq!(tokens(&text.to_uppercase()), tokens(&text));
            prop_assert_eq!(tokens(&wide), tokens(&text));
        }
    }
}

//! Folds text for search: case, accents, widths and compatibility forms go, and each folded character knows where in the
//! original it came from.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// Calls `each` with every folded character and the bytes of `text` that it stands for.
pub(super) fn fold(text: &str, mut each: impl FnMut(char, Range<usize>)) {
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        let follower = letters.peek().map(|(_, next)| *next);
        if !follower.is_some_and(joins) && plain(letter) {
            each(letter.to_ascii_lowercase(), start..start + letter.len_utf8());
            continue;
        }
        while letters.next_if(|(_, next)| joins(*next)).is_some() {}
        let end = letters.peek().map_or(text.len(), |(next, _)| *next);
        normalise(&text[start..end], &mut |folded| each(folded, start..end));
    }
}

/// Letters that stay as they are, but for the case of ASCII.
const fn plain(letter: char) -> bool {
    letter.is_ascii() || matches!(letter, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Whether `letter` belongs to the one before it: marks, the vowels and ends of Hangul syllables that are written apart,
/// the sound marks of half-width Katakana.
fn joins(letter: char) -> bool {
    !letter.is_ascii()
        && (canonical_combining_class(letter) != 0
            || matches!(letter, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}' | '\u{FE00}'..='\u{FE0F}'))
}

fn normalise(piece: &str, each: &mut impl FnMut(char)) {
    for letter in piece.nfkc().flat_map(char::to_lowercase) {
        match letter {
            // A voiced Kana is another letter; so is a syllable of Hangul.
            '\u{3040}'..='\u{30FF}' | '\u{AC00}'..='\u{D7A3}' => each(letter),
            'ß' => "ss".chars().for_each(&mut *each),
            'æ' => "ae".chars().for_each(&mut *each),
            'œ' => "oe".chars().for_each(&mut *each),
            'þ' => "th".chars().for_each(&mut *each),
            'ø' => each('o'),
            'đ' | 'ð' => each('d'),
            'ħ' => each('h'),
            'ł' => each('l'),
            'ı' => each('i'),
            'ς' => each('σ'),
            _ => [letter].into_iter().nfd().filter(|letter| !is_dropped(*letter)).for_each(&mut *each),
        }
    }
}

/// Accents of Latin, Greek and Cyrillic, the points of Hebrew and Arabic, and what is not seen. The marks of other scripts
/// are letters of theirs and stay.
fn is_dropped(letter: char) -> bool {
    let accent = matches!(letter,
        '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{0591}'..='\u{05C7}' | '\u{064B}'..='\u{065F}' | '\u{0670}')
        && is_combining_mark(letter);
    let unseen = matches!(
        letter,
        '\u{00AD}' | '\u{0640}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}'
    );
    accent || unseen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold(text, |letter, _| out.push(letter));
        out
    }

    #[test]
    fn case_accents_and_widths_go() {
        assert_eq!(folded("Crème BRÛLÉE"), "creme brulee");
        assert_eq!(folded("ＡＢＣ１２３"), "abc123");
        assert_eq!(folded("ﬁne ½ Straße ŁÓDŹ İstanbul"), "fine 1⁄2 strasse lodz istanbul");
        assert_eq!(folded("e\u{301}te\u{301}"), "ete");
        assert_eq!(folded("ΣΊΣΥΦΟΣ σίσυφος"), "σισυφοσ σισυφοσ");
        assert_eq!(folded("co\u{AD}op"), "coop");
        assert_eq!(folded("مُحَمَّد"), "محمد");
    }

    #[test]
    fn letters_of_their_own_stay() {
        assert_eq!(folded("が か"), "が か");
        assert_eq!(folded("か\u{3099}"), "が");
        assert_eq!(folded("ｶﾞ"), "ガ");
        assert_eq!(folded("\u{1112}\u{1161}\u{11AB}"), "한");
        assert_eq!(folded("ที่"), "ที่");
        assert_eq!(folded("हिन्दी"), "हिन्दी");
    }

    proptest! {
        #[test]
        fn places_are_in_order_and_on_letters(text in any::<String>()) {
            let mut last = 0..0;
            fold(&text, |_, place| {
                assert!(text.get(place.clone()).is_some_and(|piece| !piece.is_empty()));
                assert!(place == last || place.start >= last.end);
                last = place;
            });
        }

        #[test]
        fn ascii_is_only_put_in_lower_case(text in "[ -~]*") {
            prop_assert_eq!(folded(&text), text.to_ascii_lowercase());
        }
    }
}

//! Compares a text with a query: whether all of it is there, how much so, where, and the piece of it that is shown.

use std::ops::Range;

use stoa_model::search::{Highlight, Snippet};

use super::query::{SearchQuery, Term};
use super::tokens::Atoms;

/// How many words make a text of middling length.
const MIDDLING: f64 = 200.0;
/// Places of one text that are told apart; a word on every line of a book need not be.
const MAX_PLACES: usize = 2_000;
/// Characters of a snippet, and of what stands in it before the first place.
const SNIPPET: usize = 180;
const BEFORE: usize = 40;

/// A text that has everything that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Match {
    /// 0 to 1: how much of the text is about it.
    pub(super) relevance: f64,
    /// Where, in bytes, in order, none touching another.
    pub(super) places: Vec<Range<usize>>,
}

/// `None` when something that was asked for is not in `text`.
pub(super) fn compare(query: &SearchQuery, text: &str) -> Option<Match> {
    let atoms = Atoms::of(text);
    let length = f64::from(u32::try_from(atoms.all().len()).unwrap_or(u32::MAX));
    let mut places = Vec::new();
    let mut relevance = 0.0;
    for term in &query.terms {
        let found = occurrences(term, &atoms);
        if found.is_empty() {
            return None;
        }
        // Often is better than once, but ever less so, and the more in a short text (the saturation of BM25).
        let weight: f64 = found.iter().map(|(_, whole)| if *whole { 1.0 } else { 0.5 }).sum();
        relevance += weight / (weight + 0.3 + 0.9 * length / MIDDLING);
        places.extend(found.into_iter().map(|(place, _)| place));
    }
    let terms = f64::from(u32::try_from(query.terms.len()).unwrap_or(u32::MAX));
    Some(Match { relevance: relevance / terms.max(1.0), places: merged(places) })
}

/// Where the atoms of a term follow one another, and whether the last of them is met as a whole.
fn occurrences(term: &Term, text: &Atoms) -> Vec<(Range<usize>, bool)> {
    let asked = term.atoms.all();
    let last = asked.len().saturating_sub(1);
    let fits = |window: &[super::tokens::Atom]| {
        let mut whole = true;
        for (index, (asked, there)) in asked.iter().zip(window).enumerate() {
            let (wanted, letters) = (term.atoms.letters(asked), text.letters(there));
            let open = term.open && index == last;
            if asked.glued && !there.glued || !(letters == wanted || open && letters.starts_with(wanted)) {
                return None;
            }
            whole &= letters == wanted;
        }
        Some(whole)
    };
    text.all()
        .windows(asked.len())
        .filter_map(|window| {
            let whole = fits(window)?;
            Some((window.first()?.place.start..window.last()?.place.end, whole))
        })
        .take(MAX_PLACES)
        .collect()
}

fn merged(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for place in places {
        match merged.last_mut().filter(|last| last.end >= place.start) {
            Some(last) => last.end = last.end.max(place.end),
            None => merged.push(place),
        }
    }
    merged
}

/// The whole of a short text such as a title.
pub(super) fn whole(text: &str, places: &[Range<usize>]) -> Snippet {
    cut(text, 0..text.len(), places)
}

/// The stretch of `text` that has the most places, as one line.
pub(super) fn snippet(text: &str, places: &[Range<usize>]) -> Snippet {
    let reach = |from: usize, letters: usize| {
        text[from..].char_indices().nth(letters).map_or(text.len(), |(bytes, _)| from + bytes)
    };
    // Only the first places are weighed: a book is not walked through for each of its lines.
    let best = places.iter().take(200).enumerate().max_by_key(|(index, place)| {
        let end = reach(place.start, SNIPPET - BEFORE);
        let near = places[*index..].iter().take_while(|other| other.end <= end).map(Range::len).sum::<usize>();
        (near, usize::MAX - index)
    });
    let Some((_, best)) = best else { return cut(text, 0..reach(0, SNIPPET), places) };
    let before = text[..best.start].char_indices().rev().take(BEFORE);
    let mut start = before.last().map_or(best.start, |(at, _)| at);
    if start > 0 {
        // Begin with a whole word, if one begins before the place.
        let word = text[start..best.start].char_indices().find(|(_, letter)| letter.is_whitespace());
        start = word.map_or(start, |(at, _)| start + at);
    }
    let end = reach(start, SNIPPET).max(reach(best.start, 1));
    cut(text, start..end, places)
}

/// A stretch of `text` with every run of white space as one space, and what is marked in it.
fn cut(text: &str, stretch: Range<usize>, places: &[Range<usize>]) -> Snippet {
    let mut out = String::with_capacity(stretch.len() + 6);
    let mut units = 0_u32;
    let mut highlights: Vec<Highlight> = Vec::new();
    let mut push = |letter: char, marked: bool| {
        let start = units;
        out.push(letter);
        units += if letter.len_utf16() == 2 { 2 } else { 1 };
        if !marked {
            return;
        }
        match highlights.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = units,
            None => highlights.push(Highlight { start, end: units }),
        }
    };
    if stretch.start > 0 && !text[..stretch.start].trim().is_empty() {
        push('…', false);
    }
    let mut places = places.iter().skip_while(|place| place.end <= stretch.start).peekable();
    // White space waits for what comes after it, so that there is none at the ends.
    let mut space = None;
    let mut begun = false;
    for (at, letter) in text[stretch.clone()].char_indices() {
        let at = stretch.start + at;
        while places.next_if(|place| place.end <= at).is_some() {}
        let marked = places.peek().is_some_and(|place| place.start <= at);
        if letter.is_whitespace() || letter.is_control() {
            space = Some(space.unwrap_or(true) && marked);
            continue;
        }
        if let Some(marked_space) = space.take().filter(|_| begun) {
            push(' ', marked_space && marked);
        }
        push(letter, marked);
        begun = true;
    }
    if !text[stretch.end..].trim().is_empty() {
        push('…', false);
    }
    Snippet { text: out, highlights }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(query: &str, text: &str) -> Option<Match> {
        compare(&SearchQuery::parse(query).unwrap(), text)
    }

    fn marked(snippet: &Snippet) -> Vec<String> {
        let units: Vec<u16> = snippet.text.encode_utf16().collect();
        let range = |highlight: &Highlight| highlight.start as usize..highlight.end as usize;
        snippet.highlights.iter().map(|one| String::from_utf16(&units[range(one)]).unwrap()).collect()
    }

    fn shown(query: &str, text: &str) -> (String, Vec<String>) {
        let snippet = snippet(text, &found(query, text).unwrap().places);
        (snippet.text.clone(), marked(&snippet))
    }

    #[test]
    fn all_words_have_to_be_there_and_phrases_in_their_order() {
        assert!(found("brown fox ", "The fox is brown.").is_some());
        assert!(found("brown wolf ", "The fox is brown.").is_none());
        assert!(found("\"brown fox\"", "The fox is brown.").is_none());
        assert!(found("\"brown fox\"", "A Brown\n fox").is_some());
        assert!(found("bro", "brown").is_some() && found("bro ", "brown").is_none());
        assert!(found("user@example.com ", "ask user@example.com").is_some());
        assert!(found("user@example.com ", "User, example: com").is_some());
        assert!(found("user@example.com ", "example.com user").is_none());
    }

    #[test]
    fn characters_without_spaces_are_found_where_they_follow_one_another() {
        assert!(found("学习", "机器学习很有趣").is_some());
        assert!(found("机学", "机器学习").is_none());
        assert!(found("机器 有趣", "机器学习很有趣").is_some());
        assert!(found("机器学习", "机器，学习，器学").is_none());
        assert!(found("趣", "机器学习很有趣").is_some());
    }

    #[test]
    fn a_snippet_is_one_line_around_the_place() {
        let filler = "lorem ipsum dolor sit amet ".repeat(30);
        let text = format!("{filler}\n\nthe needle,\n\tin 🪡 hay {filler}");
        let (line, marks) = shown("\"needle in\" hay ", &text);
        assert!(line.starts_with('…') && line.ends_with('…'), "{line}");
        assert!(line.contains("the needle, in 🪡 hay lorem"), "{line}");
        assert_eq!(marks, ["needle, in", "hay"]);
        assert_eq!(shown("title", "Title").0, "Title");
    }

    #[test]
    fn highlights_count_as_javascript_does() {
        let snippet = snippet("🪡🪡 Crème", &found("creme", "🪡🪡 Crème").unwrap().places);
        assert_eq!(snippet.highlights, [Highlight { start: 5, end: 10 }]);
    }

    #[test]
    fn more_of_it_in_less_text_is_more_relevant() {
        let relevance = |text: &str| found("fox", text).unwrap().relevance;
        assert!(relevance("fox") > relevance(&format!("fox {}", "and ".repeat(300))));
        assert!(relevance("fox fox fox and more") > relevance("fox and more and more"));
        assert!(relevance("fox") > relevance("foxes"));
    }

    proptest! {
        /// Whatever stands in a text finds it, also as a phrase, and is what is marked.
        #[test]
        fn any_stretch_of_a_text_finds_it(text in "[ a-zA-Zäß中文学习。,\n🪡が]{1,80}", from in 0_usize..80, letters in 1_usize..20) {
            let stretch: String = text.chars().skip(from).take(letters).collect();
            let query = SearchQuery::parse(&format!("\"{stretch}\"")).unwrap();
            // A word that the stretch cuts is not a word of the text.
            let whole = text.chars().nth(from.wrapping_sub(1)).is_none_or(|letter| letter == ' ')
                && text.chars().nth(from + letters).is_none_or(|letter| letter == ' ');
            if whole && !query.is_empty() {
                let found = compare(&query, &text);
                prop_assert!(found.is_some());
            }
        }

        #[test]
        fn a_snippet_never_breaks(text in any::<String>(), from in 0_usize..60) {
            let word: String = text.chars().skip(from).take(3).filter(|letter| *letter != '"').collect();
            let query = SearchQuery::parse(&word).unwrap();
            if let Some(found) = compare(&query, &text).filter(|_| !query.is_empty()) {
                let snippet = snippet(&text, &found.places);
                prop_assert!(!snippet.highlights.is_empty());
                let units = u32::try_from(snippet.text.encode_utf16().count()).unwrap();
                prop_assert!(snippet.highlights.windows(2).all(|two| two[0].end < two[1].start));
                prop_assert!(snippet.highlights.iter().all(|one| one.start < one.end && one.end <= units));
                marked(&snippet);
            }
        }
    }
}

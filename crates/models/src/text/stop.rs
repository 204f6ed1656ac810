//! Strings that end an answer, found across the pieces that it comes in.

use super::pending_bytes;

/// Lets text through up to the first stop string, and holds back whatever may become one.
#[derive(Debug)]
pub struct StopFilter {
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl StopFilter {
    /// Empty strings would stop before the first character and are left out.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new(), stopped: false }
    }

    /// The text that may be shown now. Once a stop string is whole, nothing more comes out.
    pub fn push(&mut self, text: &str) -> String {
        if self.stopped {
            return String::new();
        }
        self.held.push_str(text);
        if let Some(end) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.stopped = true;
            self.held.truncate(end);
            return std::mem::take(&mut self.held);
        }
        let pending = self.stops.iter().map(|stop| pending_bytes(&self.held, stop)).max().unwrap_or(0);
        let tail = self.held.split_off(self.held.len() - pending);
        std::mem::replace(&mut self.held, tail)
    }

    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What was held back and became no stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut filter = StopFilter::new(stops.iter().map(|stop| (*stop).to_owned()));
        let mut text: String = pieces.iter().map(|piece| filter.push(piece)).collect();
        text.push_str(&filter.finish());
        (text, filter.is_stopped())
    }

    #[test]
    fn a_stop_string_cut_by_pieces_is_found_and_not_shown() {
        assert_eq!(run(&["\nUser:"], &["Hello", "\nUs", "er", ": you"]), ("Hello".to_owned(), true));
    }

    #[test]
    fn text_that_only_begins_like_a_stop_string_is_shown_in_the_end() {
        assert_eq!(
            run(&["\nUser:"], &["Hello\nUs", "ers are many\nUse"]),
            ("Hello\nUsers are many\nUse".to_owned(), false)
        );
    }

    #[test]
    fn the_first_of_several_stop_strings_ends_the_answer() {
        assert_eq!(run(&["three", "two"], &["one two three"]), ("one ".to_owned(), true));
    }

    #[test]
    fn an_empty_stop_string_stops_nothing() {
        assert_eq!(run(&[""], &["all of it"]), ("all of it".to_owned(), false));
    }

    proptest! {
        #[test]
        fn cutting_never_changes_the_answer(text in "[ab\u{e9}]{0,40}", stop in "[ab\u{e9}]{1,4}", cut in 1_usize..5) {
            let characters: Vec<char> = text.chars().collect();
            let mut filter = StopFilter::new([stop.clone()]);
            let mut shown = String::new();
            for piece in characters.chunks(cut) {
                shown.push_str(&filter.push(&piece.iter().collect::<String>()));
            }
            shown.push_str(&filter.finish());
            let expected = text.find(&stop).map_or(text.as_str(), |end| &text[..end]);
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(filter.is_stopped(), text.contains(&stop));
        }
    }
}

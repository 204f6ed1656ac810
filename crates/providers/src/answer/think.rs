//! Splits the thoughts that some models write into their text, between `<think>` and `</think>`, from the answer.

use stoa_model::completion::PartKind;

const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Fed pieces cut anywhere. Only a tag at the very beginning opens a thought: later ones are part of the answer, which may
/// well be about such tags.
#[derive(Debug, Default)]
pub(crate) struct ThinkSplitter {
    state: State,
    /// What cannot be judged before more comes.
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Beginning,
    Thinking {
        close: &'static str,
        blank: bool,
    },
    /// Behind the thought, blank lines before the answer are dropped.
    Between,
    Answer,
}

impl ThinkSplitter {
    pub(crate) fn push(&mut self, text: &str, mut emit: impl FnMut(PartKind, String)) {
        if self.state == State::Answer {
            return emit_some(PartKind::Text, text.to_owned(), &mut emit);
        }
        self.held.push_str(text);
        loop {
            match self.state {
                State::Beginning => {
                    let trimmed = self.held.trim_start();
                    if let Some((open, close)) = TAGS.iter().find(|(open, _)| trimmed.starts_with(open)) {
                        self.held = trimmed[open.len()..].to_owned();
                        self.state = State::Thinking { close, blank: true };
                    } else if TAGS.iter().any(|(open, _)| open.starts_with(trimmed)) {
                        return;
                    } else {
                        self.state = State::Answer;
                        return emit_some(PartKind::Text, std::mem::take(&mut self.held), &mut emit);
                    }
                }
                State::Thinking { close, blank } => {
                    if blank {
                        self.held = self.held.trim_start().to_owned();
                        self.state = State::Thinking { close, blank: self.held.is_empty() };
                    }
                    if let Some((thought, rest)) = self.held.split_once(close) {
                        let (thought, rest) = (thought.trim_end().to_owned(), rest.to_owned());
                        emit_some(PartKind::Reasoning, thought, &mut emit);
                        self.held = rest;
                        self.state = State::Between;
                        continue;
                    }
                    let keep = self.held.trim_end().len().min(self.held.len() - partial(&self.held, close));
                    let keep = self.held[..keep].trim_end().len();
                    let rest = self.held.split_off(keep);
                    return emit_some(PartKind::Reasoning, std::mem::replace(&mut self.held, rest), &mut emit);
                }
                State::Between => {
                    self.held = self.held.trim_start().to_owned();
                    if self.held.is_empty() {
                        return;
                    }
                    self.state = State::Answer;
                    return emit_some(PartKind::Text, std::mem::take(&mut self.held), &mut emit);
                }
                State::Answer => return,
            }
        }
    }

    /// The end of the answer: what was held back is what it looks like.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(PartKind, String)) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Thinking { .. } => emit_some(PartKind::Reasoning, held.trim_end().to_owned(), &mut emit),
            State::Beginning | State::Answer => emit_some(PartKind::Text, held, &mut emit),
            State::Between => {}
        }
        self.state = State::Answer;
    }
}

fn emit_some(part: PartKind, text: String, emit: &mut impl FnMut(PartKind, String)) {
    if !text.is_empty() {
        emit(part, text);
    }
}

/// How many bytes at the end of `text` could be the beginning of `tag`.
fn partial(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|length| text.ends_with(&tag[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let (mut thought, mut answer) = (String::new(), String::new());
        let mut splitter = ThinkSplitter::default();
        let mut emit = |part, text: String| match part {
            PartKind::Reasoning => thought.push_str(&text),
            PartKind::Text => answer.push_str(&text),
        };
        for piece in pieces {
            splitter.push(piece, &mut emit);
        }
        splitter.finish(&mut emit);
        (thought, answer)
    }

    fn owned(thought: &str, answer: &str) -> (String, String) {
        (thought.to_owned(), answer.to_owned())
    }

    #[test]
    fn a_thought_at_the_beginning_is_taken_out() {
        assert_eq!(split(&["<think>\nHm. <b>\n</think>\n\nYes."]), owned("Hm. <b>", "Yes."));
        assert_eq!(split(&["\n<thinking>a</thinking>b"]), owned("a", "b"));
        assert_eq!(split(&["<think></think>b"]), owned("", "b"));
        assert_eq!(split(&["<think>no end"]), owned("no end", ""));
    }

    #[test]
    fn other_text_is_left_as_it_is() {
        for text in ["", "plain", "  plain\n", "<thin", "a <think>b</think>", "<table>", "\n\n<"] {
            assert_eq!(split(&[text]), owned("", text));
        }
    }

    proptest! {
        #[test]
        fn cuts_never_change_the_parts(text in "( |\n)?(<think>)?[a<\n ]{0,8}(</think>)?[\n ]{0,2}[a<> ]{0,8}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text[from..cut]);
                from = cut;
            }
            prop_assert_eq!(split(&pieces), split(&[&text]));
        }
    }
}

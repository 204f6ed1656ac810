//! Tells what a model thinks from what it says, by the `<think>` marks around the former.

use stoa_model::completion::PartKind;

use super::pending_bytes;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space and perhaps the beginning of the mark has come.
    Start,
    /// White space after the opening mark is not part of the thought.
    BeforeThought,
    Thinking,
    /// White space after the closing mark is not part of the answer.
    AfterThinking,
    Answering,
}

/// Splits an answer into reasoning and text. Only marks at the very beginning count: a model that writes about
/// `<think>` is not thinking.
#[derive(Debug)]
pub struct ReasoningSplitter {
    state: State,
    held: String,
}

impl ReasoningSplitter {
    /// `in_reasoning` when the prompt has already opened the reasoning.
    pub fn new(in_reasoning: bool) -> Self {
        Self { state: if in_reasoning { State::BeforeThought } else { State::Start }, held: String::new() }
    }

    /// The part that the next token will most likely belong to.
    pub const fn part(&self) -> PartKind {
        match self.state {
            State::BeforeThought | State::Thinking => PartKind::Reasoning,
            State::Start | State::AfterThinking | State::Answering => PartKind::Text,
        }
    }

    pub fn push(&mut self, text: &str) -> Vec<(PartKind, String)> {
        self.held.push_str(text);
        let mut parts = Vec::new();
        loop {
            let before = self.state;
            match self.state {
                State::Start => self.start(),
                State::Thinking => self.think(&mut parts),
                State::BeforeThought => self.skip_white_space(State::Thinking),
                State::AfterThinking => self.skip_white_space(State::Answering),
                State::Answering => emit(&mut parts, PartKind::Text, std::mem::take(&mut self.held)),
            }
            if self.state == before {
                return parts;
            }
        }
    }

    /// What was held back at the end of the answer.
    pub fn finish(&mut self) -> Vec<(PartKind, String)> {
        let mut parts = Vec::new();
        let part = self.part();
        if !matches!(self.state, State::BeforeThought | State::AfterThinking) {
            emit(&mut parts, part, std::mem::take(&mut self.held));
        }
        parts
    }

    fn start(&mut self) {
        let trimmed = self.held.trim_start();
        if let Some(rest) = trimmed.strip_prefix(OPEN) {
            self.held = rest.to_owned();
            self.state = State::BeforeThought;
        } else if !OPEN.starts_with(trimmed) {
            self.state = State::Answering;
        }
    }

    fn think(&mut self, parts: &mut Vec<(PartKind, String)>) {
        if let Some((thought, rest)) = self.held.split_once(CLOSE) {
            emit(parts, PartKind::Reasoning, thought.trim_end().to_owned());
            self.held = rest.to_owned();
            self.state = State::AfterThinking;
            return;
        }
        // White space before the closing mark belongs to it.
        let pending = pending_bytes(&self.held, CLOSE);
        let sure = self.held[..self.held.len() - pending].trim_end().len();
        let tail = self.held.split_off(sure);
        emit(parts, PartKind::Reasoning, std::mem::replace(&mut self.held, tail));
    }

    fn skip_white_space(&mut self, next: State) {
        let trimmed = self.held.trim_start();
        if trimmed.is_empty() {
            self.held.clear();
        } else {
            self.held = trimmed.to_owned();
            self.state = next;
        }
    }
}

fn emit(parts: &mut Vec<(PartKind, String)>, part: PartKind, text: String) {
    if !text.is_empty() {
        parts.push((part, text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(in_reasoning: bool, text: &str, cut: usize) -> (String, String) {
        let mut splitter = ReasoningSplitter::new(in_reasoning);
        let (mut reasoning, mut answer) = (String::new(), String::new());
        let characters: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        for piece in characters.chunks(cut) {
            parts.extend(splitter.push(&piece.iter().collect::<String>()));
        }
        parts.extend(splitter.finish());
        for (part, text) in parts {
            match part {
                PartKind::Reasoning => reasoning.push_str(&text),
                PartKind::Text => answer.push_str(&text),
            }
        }
        (reasoning, answer)
    }

    #[test]
    fn thoughts_and_answer_are_told_apart() {
        for cut in 1..12 {
            let (reasoning, answer) = split(false, "\n<think>\nLet me see.\n\n</think>\n\nFour.", cut);
            assert_eq!((reasoning.as_str(), answer.as_str()), ("Let me see.", "Four."), "cut {cut}");
        }
    }

    #[test]
    fn a_prompt_may_have_opened_the_reasoning() {
        assert_eq!(split(true, "Hm.</think>Four.", 3), ("Hm.".to_owned(), "Four.".to_owned()));
    }

    #[test]
    fn an_answer_about_the_mark_is_no_reasoning() {
        let text = "Write <think>like this</think>.";
        assert_eq!(split(false, text, 2), (String::new(), text.to_owned()));
    }

    #[test]
    fn reasoning_that_never_ends_stays_reasoning() {
        assert_eq!(split(false, "<think>on and on", 4), ("on and on".to_owned(), String::new()));
    }

    proptest! {
        #[test]
        fn cutting_never_changes_the_parts(text in "(<think>)?[a </think>\n]{0,30}(</think>)?[a \n]{0,10}", cut in 1_usize..6) {
            prop_assert_eq!(split(false, &text, cut), split(false, &text, usize::MAX >> 1));
        }
    }
}

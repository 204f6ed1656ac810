//! An answer taken apart as it comes: what the model thinks, what it says, and which tools it calls.

use rand::RngExt as _;
use rand::rngs::SmallRng;
use stoa_model::completion::PartKind;
use stoa_model::tools::{ToolCall, Tools};

use super::ReasoningSplitter;
use super::tools::{ToolCallSplitter, ToolFormat, ToolPiece, call_id, one_call};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPiece {
    Delta(PartKind, String),
    Call(ToolCall),
}

/// Fed the text of one answer, it says what it is made of.
#[derive(Debug)]
pub struct AnswerReader {
    reasoning: ReasoningSplitter,
    calls: Calls,
    one_call: bool,
    called: bool,
}

#[derive(Debug)]
enum Calls {
    /// None can be there.
    Never,
    /// Anywhere among the text.
    Among(Box<ToolCallSplitter<SmallRng>>),
    /// All that is said is one, and nothing else.
    Whole { said: String, random: Box<SmallRng> },
}

impl AnswerReader {
    /// `in_reasoning` when the prompt has already opened the reasoning.
    pub fn new(in_reasoning: bool, format: ToolFormat, tools: &Tools, random: SmallRng) -> Self {
        let calls = if tools.call_schema().is_some() {
            Calls::Whole { said: String::new(), random: Box::new(random) }
        } else if tools.shown().is_empty() {
            Calls::Never
        } else {
            Calls::Among(Box::new(ToolCallSplitter::new(format, tools.shown(), random)))
        };
        Self { reasoning: ReasoningSplitter::new(in_reasoning), calls, one_call: tools.one_call, called: false }
    }

    /// The part that the next token will most likely belong to.
    pub const fn part(&self) -> PartKind {
        self.reasoning.part()
    }

    /// Whether a call has come.
    pub const fn has_called(&self) -> bool {
        self.called
    }

    pub fn push(&mut self, text: &str) -> Vec<AnswerPiece> {
        let parts = self.reasoning.push(text);
        self.sort(parts)
    }

    /// What was held back at the end of the answer.
    pub fn finish(&mut self) -> Vec<AnswerPiece> {
        let parts = self.reasoning.finish();
        let mut pieces = self.sort(parts);
        match &mut self.calls {
            Calls::Never => {}
            Calls::Among(splitter) => {
                let rest = splitter.finish();
                self.take(rest, &mut pieces);
            }
            Calls::Whole { said, random } => {
                let said = std::mem::take(said);
                // An answer that was cut off before its end is no call.
                match one_call(said.trim()) {
                    Some((name, arguments)) => {
                        let id = call_id(random.as_mut());
                        self.called = true;
                        pieces.push(AnswerPiece::Call(ToolCall { id, name, arguments }));
                    }
                    None if !said.is_empty() => pieces.push(AnswerPiece::Delta(PartKind::Text, said)),
                    None => {}
                }
            }
        }
        pieces
    }

    fn sort(&mut self, parts: Vec<(PartKind, String)>) -> Vec<AnswerPiece> {
        let mut pieces = Vec::with_capacity(parts.len());
        for (part, text) in parts {
            match (&mut self.calls, part) {
                (Calls::Never, _) | (_, PartKind::Reasoning) => pieces.push(AnswerPiece::Delta(part, text)),
                (Calls::Among(splitter), PartKind::Text) => {
                    let found = splitter.push(&text);
                    self.take(found, &mut pieces);
                }
                (Calls::Whole { said, .. }, PartKind::Text) => said.push_str(&text),
            }
        }
        pieces
    }

    fn take(&mut self, found: Vec<ToolPiece>, pieces: &mut Vec<AnswerPiece>) {
        for piece in found {
            match piece {
                ToolPiece::Text(text) => pieces.push(AnswerPiece::Delta(PartKind::Text, text)),
                // More than was asked for.
                ToolPiece::Call(_) if self.one_call && self.called => {}
                ToolPiece::Call(call) => {
                    self.called = true;
                    pieces.push(AnswerPiece::Call(call));
                }
            }
        }
    }
}

/// A source of ids that nobody can guess.
pub fn fresh_random() -> SmallRng {
    use rand::SeedableRng as _;
    SmallRng::seed_from_u64(rand::rng().random())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use stoa_model::json::Json;
    use stoa_model::tools::ToolChoice;

    use super::*;

    const TOOL: &str = r#"{"type":"function","function":{"name":"time","parameters":{"type":"object"}}}"#;

    /// What `text` is made of, in pieces of `cut` bytes: thoughts, text, and names and arguments of calls.
    fn read(choice: ToolChoice, one_call: bool, text: &str, cut: usize) -> (String, String, Vec<String>) {
        let tools = Tools { offered: vec![Json::parse(TOOL).unwrap()], choice, one_call };
        let mut reader = AnswerReader::new(false, ToolFormat::Hermes, &tools, SmallRng::seed_from_u64(1));
        let characters: Vec<char> = text.chars().collect();
        let mut pieces: Vec<AnswerPiece> =
            characters.chunks(cut).flat_map(|chunk| reader.push(&chunk.iter().collect::<String>())).collect();
        pieces.extend(reader.finish());
        let (mut thoughts, mut said, mut calls) = (String::new(), String::new(), Vec::new());
        for piece in pieces {
            match piece {
                AnswerPiece::Delta(PartKind::Reasoning, text) => thoughts.push_str(&text),
                AnswerPiece::Delta(PartKind::Text, text) => said.push_str(&text),
                AnswerPiece::Call(call) => {
                    assert!(call.id.starts_with("call_") && call.id.len() == 13, "{}", call.id);
                    calls.push(format!("{} {}", call.name, call.arguments));
                }
            }
        }
        assert_eq!(reader.has_called(), !calls.is_empty());
        (thoughts, said, calls)
    }

    const CALL: &str = r#"<tool_call>{"name":"time","arguments":{"zone":"UTC"}}</tool_call>"#;

    #[test]
    fn thoughts_text_and_calls_are_told_apart() {
        let text = format!("<think>Which {CALL} is it?</think>\n\nI will look.\n{CALL}");
        for cut in 1..20 {
            let (thoughts, said, calls) = read(ToolChoice::Auto, false, &text, cut);
            assert_eq!(thoughts, format!("Which {CALL} is it?"), "thinking of a call is not calling");
            assert_eq!((said.as_str(), calls.as_slice()), ("I will look.", &[r#"time {"zone":"UTC"}"#.to_owned()][..]));
        }
    }

    #[test]
    fn whoever_wants_one_call_gets_one() {
        let text = format!("{CALL}{CALL}");
        assert_eq!(read(ToolChoice::Auto, false, &text, 5).2.len(), 2);
        assert_eq!(read(ToolChoice::Auto, true, &text, 5).2.len(), 1);
    }

    #[test]
    fn where_no_call_is_wanted_none_is_found() {
        assert_eq!(read(ToolChoice::None, false, CALL, 7), (String::new(), CALL.to_owned(), Vec::new()));
    }

    #[test]
    fn an_answer_that_must_be_a_call_is_one_as_a_whole() {
        let (_, said, calls) = read(ToolChoice::Required, false, r#"{"name":"time","arguments":{"z":1,"a":2}}"#, 3);
        assert_eq!((said.as_str(), calls), ("", vec![r#"time {"z":1,"a":2}"#.to_owned()]));
        let cut_off = r#"{"name":"time","argum"#;
        assert_eq!(read(ToolChoice::Required, false, cut_off, 3), (String::new(), cut_off.to_owned(), Vec::new()));
    }
}

//! Tells the calls of tools that a model asks for from what it says, in the forms of the main families.

mod attempt;
mod call;
mod family;
mod offered;
mod scan;

use rand::{Rng, RngExt};

use super::pending_bytes;
use attempt::{Attempt, Progress};
use family::Opening;
use offered::Offered;
use stoa_model::json::Json;
use stoa_model::tools::ToolCall;

pub use family::ToolFormat;

/// The longest call in bytes. What is longer stays text.
pub const MAX_CALL_BYTES: usize = 64 * 1024;

/// White space before a call belongs to it; so much of it is held back, and no more.
const MAX_GAP_BYTES: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolPiece {
    Text(String),
    Call(ToolCall),
}

/// Splits an answer into text and calls. A call that is malformed or never ends stays text; nothing is lost but the
/// white space around calls.
#[derive(Debug)]
pub struct ToolCallSplitter<R> {
    format: ToolFormat,
    offered: Offered,
    random: R,
    /// Text that may belong to a call: white space and the beginning of a mark.
    held: String,
    attempt: Option<Attempt>,
    /// Nothing has been said yet, or nothing since the last call.
    at_start: bool,
    after_call: bool,
}

impl<R: Rng> ToolCallSplitter<R> {
    /// `tools` are those that the model was offered, as `TemplateInput` has them. Without a mark of its own, JSON is a
    /// call only when it names one of them. When none were offered, there is nothing to split.
    pub fn new(format: ToolFormat, tools: &[Json], random: R) -> Self {
        Self {
            format,
            offered: Offered::new(tools),
            random,
            held: String::new(),
            attempt: None,
            at_start: true,
            after_call: false,
        }
    }

    pub fn push(&mut self, text: &str) -> Vec<ToolPiece> {
        self.feed(text, false)
    }

    /// What was held back at the end of the answer.
    pub fn finish(&mut self) -> Vec<ToolPiece> {
        self.feed("", true)
    }

    fn feed(&mut self, text: &str, at_end: bool) -> Vec<ToolPiece> {
        let mut pieces = Vec::new();
        match &mut self.attempt {
            Some(attempt) => attempt.push(text),
            None => self.held.push_str(text),
        }
        loop {
            let Some(attempt) = &mut self.attempt else {
                if self.search(at_end, &mut pieces) {
                    continue;
                }
                return pieces;
            };
            match attempt.advance(at_end, &self.offered) {
                Progress::More => return pieces,
                Progress::Calls { calls, rest } => {
                    self.attempt = None;
                    self.held = rest;
                    (self.at_start, self.after_call) = (true, true);
                    for call in calls {
                        let id = call_id(&mut self.random);
                        pieces.push(ToolPiece::Call(ToolCall { id, name: call.name, arguments: call.arguments }));
                    }
                }
                Progress::Text { text, rest } => {
                    self.attempt = None;
                    self.held = rest;
                    self.say(text, &mut pieces);
                }
            }
        }
    }

    /// Looks for the beginning of a call in what is held, and lets go what cannot be one. Whether it has found one.
    fn search(&mut self, at_end: bool, pieces: &mut Vec<ToolPiece>) -> bool {
        if self.after_call {
            self.held.drain(..self.held.len() - self.held.trim_start().len());
        }
        if self.held.is_empty() {
            return false;
        }
        if let Some((position, opening)) = self.opening() {
            let buffer = self.held.split_off(position);
            let gap = self.held.split_off(gap_start(&self.held));
            self.attempt = Some(Attempt::new(opening, gap, buffer));
            let before = std::mem::take(&mut self.held);
            self.say(before, pieces);
            return true;
        }
        let sure = if at_end {
            self.held.len()
        } else {
            let pending = |opening: &Opening| pending_bytes(&self.held, opening.mark);
            let pending = self.format.openings().iter().map(pending).max().unwrap_or(0);
            gap_start(&self.held[..self.held.len() - pending])
        };
        let tail = self.held.split_off(sure);
        let text = std::mem::replace(&mut self.held, tail);
        self.say(text, pieces);
        false
    }

    /// Where the first call may begin.
    fn opening(&self) -> Option<(usize, &'static Opening)> {
        let openings = self.format.openings();
        let marked = openings
            .iter()
            .filter(|opening| !opening.mark.is_empty())
            .filter_map(|opening| self.held.find(opening.mark).map(|position| (position, opening)))
            .min_by_key(|(position, opening)| (*position, usize::MAX - opening.mark.len()));
        let first = self.held.len() - self.held.trim_start().len();
        let is_bare = self.at_start && self.held[first..].starts_with('{');
        let bare = openings.iter().find(|opening| opening.mark.is_empty()).filter(|_| is_bare);
        bare.map(|opening| (first, opening)).or(marked)
    }

    fn say(&mut self, text: String, pieces: &mut Vec<ToolPiece>) {
        if !text.is_empty() {
            if !text.trim().is_empty() {
                (self.at_start, self.after_call) = (false, false);
            }
            pieces.push(ToolPiece::Text(text));
        }
    }
}

/// `call_` and 8 of a-z and 0-9.
pub(super) fn call_id(random: &mut impl Rng) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let letters = (0..8).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]));
    "call_".chars().chain(letters).collect()
}

/// Name and arguments of an answer that is one call and nothing else.
pub(super) fn one_call(text: &str) -> Option<(String, String)> {
    let mut calls = call::read_all(text)?;
    let call = calls.pop().filter(|_| calls.is_empty())?;
    Some((call.name, call.arguments))
}

/// Where the white space at the end of `text` begins, as far as it is held back.
fn gap_start(text: &str) -> usize {
    let space = text.trim_end().len();
    let mut start = space.max(text.len().saturating_sub(MAX_GAP_BYTES));
    while !text.is_char_boundary(start) {
        start += 1;
    }
    start
}

#[cfg(test)]
mod tests;

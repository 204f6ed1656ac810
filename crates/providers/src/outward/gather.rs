//! Gathers the events of an answer that goes out in one piece, whichever protocol it is written in.

use stoa_model::completion::{CompletionEvent, FinishReason, LocalEvent, PartKind, TokenLogProb, Usage};
use stoa_model::tools::ToolCall;

/// What an answer is made of, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Reasoning(String),
    Call(ToolCall),
}

/// All that an answer has said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collector {
    pub(super) pieces: Vec<Piece>,
    pub(super) logprobs: Vec<TokenLogProb>,
    /// Of the tokens behind the text that comes next.
    pending: Vec<TokenLogProb>,
    pub(super) usage: Option<Usage>,
    finish: Option<FinishReason>,
}

impl Collector {
    pub fn push(&mut self, event: CompletionEvent) {
        match event {
            CompletionEvent::Delta { part, text } => {
                self.take_pending(part == PartKind::Text);
                match (self.pieces.last_mut(), part) {
                    (Some(Piece::Text(said)), PartKind::Text) | (Some(Piece::Reasoning(said)), PartKind::Reasoning) => {
                        said.push_str(&text);
                    }
                    (_, PartKind::Text) => self.pieces.push(Piece::Text(text)),
                    (_, PartKind::Reasoning) => self.pieces.push(Piece::Reasoning(text)),
                }
            }
            CompletionEvent::ToolCall(call) => self.pieces.push(Piece::Call(call)),
            CompletionEvent::Local(LocalEvent::LogProbs(tokens)) => self.pending.extend(tokens),
            CompletionEvent::Local(LocalEvent::Timings(_) | LocalEvent::Context(_) | LocalEvent::Queued { .. }) => {}
            CompletionEvent::Usage(usage) => self.usage = Some(usage),
            CompletionEvent::Finish(reason) => {
                let calls = self.calls().next().is_some();
                self.take_pending(!calls);
                self.finish = Some(reason);
            }
        }
    }

    /// The tokens of thoughts and calls are no part of the text that probabilities are told of.
    fn take_pending(&mut self, of_text: bool) {
        let pending = std::mem::take(&mut self.pending);
        if of_text {
            self.logprobs.extend(pending);
        }
    }

    pub(super) fn text(&self) -> String {
        self.pieces
            .iter()
            .filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None })
            .collect()
    }

    pub(super) fn reasoning(&self) -> String {
        self.pieces
            .iter()
            .filter_map(|piece| if let Piece::Reasoning(text) = piece { Some(text.as_str()) } else { None })
            .collect()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.pieces.iter().filter_map(|piece| if let Piece::Call(call) = piece { Some(call) } else { None })
    }

    pub(super) fn finish(&self) -> FinishReason {
        self.finish.unwrap_or(FinishReason::Stop)
    }
}

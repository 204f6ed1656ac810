//! Text that comes in pieces: characters cut by tokens, stop strings cut by pieces, reasoning marks, and calls of tools.

mod answer;
mod joiner;
mod reasoning;
mod stop;
pub mod tools;

pub use answer::{AnswerPiece, AnswerReader, fresh_random};
pub use joiner::Utf8Joiner;
pub use reasoning::ReasoningSplitter;
pub use stop::StopFilter;
pub use tools::ToolFormat;

/// How many bytes at the end of `text` may be the beginning of `mark`, without being all of it.
fn pending_bytes(text: &str, mark: &str) -> usize {
    let longest = mark.len().saturating_sub(1).min(text.len());
    (1..=longest)
        .rev()
        .find(|&length| {
            text.is_char_boundary(text.len() - length)
                && mark.is_char_boundary(length)
                && mark.as_bytes().starts_with(&text.as_bytes()[text.len() - length..])
        })
        .unwrap_or(0)
}

//! What an answer means, whichever protocol it comes in: the parts that all of them stand on.

mod calls;
mod lines;
mod progress;
mod reading;
mod stream;
mod think;

use std::collections::VecDeque;

use stoa_model::completion::{CompletionError, CompletionEvent};

pub(crate) use progress::{Progress, not_understood};
pub(crate) use reading::Framing;
pub use reading::Reading;
pub(crate) use stream::AnswerStream;

/// Events on their way to whoever asked.
pub(crate) type Out = VecDeque<CompletionEvent>;

/// Fed the events of one answer, it says what they mean. Knows nothing of connections, so that recorded answers can be
/// replayed.
pub(crate) trait Interpret: Send {
    /// One event of the stream: a server-sent one with its name, or a line, which has none.
    fn event(&mut self, name: &[u8], data: &[u8], out: &mut Out) -> Result<(), CompletionError>;

    /// A whole answer in one piece of JSON, from a server that does not stream.
    fn whole(&mut self, body: &[u8], out: &mut Out) -> Result<(), CompletionError>;

    fn progress(&mut self) -> &mut Progress;

    fn told(&self) -> &Progress;
}

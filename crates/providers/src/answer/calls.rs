//! Calls of tools, put together from their pieces.

use stoa_model::completion::CompletionError;
use stoa_model::tools::ToolCall;

/// The most calls of one answer.
const MOST_CALLS: usize = 128;

/// Bytes of all calls of one answer.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Part of the ids of calls that come without one.
    token: String,
    calls: Vec<ToolCall>,
    bytes: usize,
}

impl Calls {
    pub(super) fn new(token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::default() }
    }

    /// A piece of a call. `index` is its place, where it has one; `id` is empty where the piece goes on with the call
    /// before.
    pub(crate) fn push(
        &mut self,
        index: Option<usize>,
        id: &str,
        name: &str,
        arguments: &str,
    ) -> Result<(), CompletionError> {
        let index = match index {
            Some(index) => index,
            // A server that does not number them begins each with its id.
            None if id.is_empty() && !self.calls.is_empty() => self.calls.len() - 1,
            None => self.calls.len(),
        };
        if index > self.calls.len() || index >= MOST_CALLS {
            let detail = format!("it has a call of a tool out of its order, or more than {MOST_CALLS}");
            return Err(CompletionError::Protocol { detail });
        }
        if index == self.calls.len() {
            let id = format!("call_{}{index}", self.token);
            self.calls.push(ToolCall { id, name: String::new(), arguments: String::new() });
        }
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        if !id.is_empty() {
            id.clone_into(&mut call.id);
        }
        self.bytes += name.len() + arguments.len();
        call.name.push_str(name);
        call.arguments.push_str(arguments);
        if self.bytes > MOST_BYTES {
            let detail = format!("its calls of tools are longer than {} MiB", MOST_BYTES >> 20);
            return Err(CompletionError::Protocol { detail });
        }
        Ok(())
    }

    /// A call that comes whole. Without an id it is given one.
    pub(crate) fn push_whole(&mut self, id: &str, name: &str, arguments: &str) -> Result<(), CompletionError> {
        self.push(Some(self.calls.len()), id, name, arguments)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// All of them, whole. A call without arguments has an empty object of them.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = ToolCall> {
        std::mem::take(&mut self.calls).into_iter().filter(|call| !call.name.is_empty()).map(|call| ToolCall {
            arguments: if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments },
            ..call
        })
    }
}

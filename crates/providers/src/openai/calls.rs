//! Calls of tools, put together from their pieces.

use serde_json::value::RawValue;
use stoa_model::completion::CompletionError;
use stoa_model::tools::ToolCall;

use super::wire::CallDelta;

/// The most calls of one answer.
const MOST_CALLS: usize = 128;

/// Bytes of all calls of one answer.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<ToolCall>,
    bytes: usize,
}

impl Calls {
    pub(super) fn push(&mut self, delta: &CallDelta<'_>) -> Result<(), CompletionError> {
        let id = delta.id.as_ref().map_or("", |id| &id.0);
        let index = match delta.index {
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
            let (id, name, arguments) = (format!("call_{index}"), String::new(), String::new());
            self.calls.push(ToolCall { id, name, arguments });
        }
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        if !id.is_empty() {
            id.clone_into(&mut call.id);
        }
        let Some(function) = &delta.function else { return Ok(()) };
        if let Some(name) = &function.name {
            self.bytes += name.0.len();
            call.name.push_str(&name.0);
        }
        if let Some(arguments) = function.arguments.map(RawValue::get).filter(|raw| *raw != "null") {
            self.bytes += arguments.len();
            match serde_json::from_str::<String>(arguments) {
                Ok(text) => call.arguments.push_str(&text),
                Err(_) => call.arguments.push_str(arguments),
            }
        }
        if self.bytes > MOST_BYTES {
            let detail = format!("its calls of tools are longer than {} MiB", MOST_BYTES >> 20);
            return Err(CompletionError::Protocol { detail });
        }
        Ok(())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// All of them, whole. A call without arguments has an empty object of them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = ToolCall> {
        std::mem::take(&mut self.calls).into_iter().filter(|call| !call.name.is_empty()).map(|call| ToolCall {
            arguments: if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments },
            ..call
        })
    }
}

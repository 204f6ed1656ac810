//! A prompt as protocols with two sides see it: what is said to the model beforehand, then turns of user and assistant.

use stoa_model::completion::{CompletionError, PromptMessage, PromptRole};
use stoa_model::json::Json;
use stoa_model::tools::{ToolCall, Tools};

/// What one side says before the other does again. What tools answer is said by the user's side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn<'a> {
    pub(crate) is_assistant: bool,
    pub(crate) messages: Vec<&'a PromptMessage>,
}

impl<'a> Turn<'a> {
    /// What tools have answered, which some protocols want before everything else, and the rest.
    pub(crate) fn answers_first(&self) -> (Vec<&'a PromptMessage>, Vec<&'a PromptMessage>) {
        self.messages.iter().copied().partition(|message| message.role == PromptRole::Tool)
    }
}

/// All that is said by nobody in the talk, put together, and the turns.
pub(crate) fn of(messages: &[PromptMessage]) -> (String, Vec<Turn<'_>>) {
    let (mut system, mut turns) = (String::new(), Vec::<Turn<'_>>::new());
    for message in messages {
        if message.role == PromptRole::System {
            if !system.is_empty() && !message.text.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(&message.text);
            continue;
        }
        let is_assistant = message.role == PromptRole::Assistant;
        match turns.last_mut().filter(|turn| turn.is_assistant == is_assistant) {
            Some(turn) => turn.messages.push(message),
            None => turns.push(Turn { is_assistant, messages: vec![message] }),
        }
    }
    (system, turns)
}

/// A function as it is offered.
#[derive(Debug)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: Option<&'a str>,
    /// A JSON Schema.
    pub(crate) parameters: Option<&'a Json>,
    pub(crate) strict: Option<bool>,
}

pub(crate) fn functions(tools: &Tools) -> Vec<Function<'_>> {
    tools.offered.iter().filter_map(function).collect()
}

fn function(tool: &Json) -> Option<Function<'_>> {
    let function = tool.get("function")?;
    Some(Function {
        name: function.get("name")?.as_text()?,
        description: function.get("description").and_then(Json::as_text),
        parameters: function.get("parameters").filter(|parameters| matches!(parameters, Json::Object(_))),
        strict: match function.get("strict") {
            Some(Json::Bool(strict)) => Some(*strict),
            _ => None,
        },
    })
}

/// The schema of a function that takes nothing.
pub(crate) fn no_parameters() -> Json {
    let text = |text: &str| Json::Text(text.to_owned());
    let entries = [("type", text("object")), ("properties", Json::Object([].into_iter().collect()))];
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The arguments of a call as an object, for protocols that do not take them as text.
pub(crate) fn arguments(call: &ToolCall) -> Result<Json, CompletionError> {
    let object = Json::parse(&call.arguments).ok().filter(|arguments| matches!(arguments, Json::Object(_)));
    object.ok_or_else(|| CompletionError::Invalid {
        detail: format!("the arguments of the call `{}` of `{}` are no JSON object", call.id, call.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_speaks_in_its_turn() {
        let said = |role, text: &str| PromptMessage::new(role, text);
        let messages = [
            said(PromptRole::System, "a"),
            said(PromptRole::User, "b"),
            said(PromptRole::Assistant, "c"),
            said(PromptRole::Tool, "d"),
            said(PromptRole::System, "e"),
            said(PromptRole::User, "f"),
        ];
        let (system, turns) = of(&messages);
        assert_eq!(system, "a\n\ne");
        let shape: Vec<_> = turns.iter().map(|turn| (turn.is_assistant, turn.messages.len())).collect();
        assert_eq!(shape, [(false, 1), (true, 1), (false, 2)]);
    }
}

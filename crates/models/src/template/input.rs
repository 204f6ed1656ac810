//! What a template is given: messages with all that may hang on them, tools, and whether to think.

use stoa_model::completion::PromptMessage;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::ToolCall;

use crate::protocol::{Placed, Talk};

pub use stoa_model::completion::PromptRole as Role;

/// What one prompt is made of. What is left at its default is not there for the template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateInput {
    pub messages: Vec<TemplateMessage>,
    /// Each as OpenAI and Ollama write it: `{"type":"function","function":{…}}`.
    pub tools: Vec<Json>,
    /// `None` leaves it to the template.
    pub think: Option<Think>,
    /// What stands behind the gap that the model is to fill; only templates with the ability `insert` use it.
    pub suffix: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateMessage {
    pub role: Role,
    pub content: String,
    /// What the model thought before it answered so.
    pub reasoning: Option<String>,
    /// The calls that an answer asked for.
    pub tool_calls: Vec<TemplateToolCall>,
    /// The call that a tool answers.
    pub tool_call_id: Option<String>,
    /// The tool that answers.
    pub tool_name: Option<String>,
    /// How many images go with the message.
    pub images: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TemplateToolCall {
    pub id: String,
    pub name: String,
    /// An object; its keys stay in their order.
    pub arguments: Json,
}

impl TemplateMessage {
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), ..Self::default() }
    }
}

impl From<&PromptMessage> for TemplateMessage {
    fn from(message: &PromptMessage) -> Self {
        Self {
            role: message.role,
            content: message.text.clone(),
            reasoning: message.reasoning.clone(),
            tool_calls: message.tool_calls.iter().map(TemplateToolCall::from).collect(),
            tool_call_id: message.tool_call_id.clone(),
            tool_name: message.tool_name.clone(),
            images: 0,
        }
    }
}

impl From<&ToolCall> for TemplateToolCall {
    fn from(call: &ToolCall) -> Self {
        // What is no object is a text to the template.
        let arguments = Json::parse(&call.arguments).unwrap_or_else(|_| Json::Text(call.arguments.clone()));
        Self { id: call.id.clone(), name: call.name.clone(), arguments }
    }
}

impl From<&Talk> for TemplateInput {
    fn from(talk: &Talk) -> Self {
        Self {
            messages: talk.messages.iter().map(TemplateMessage::from).collect(),
            tools: talk.tools.clone(),
            think: talk.think,
            suffix: talk.suffix.clone(),
        }
    }
}

impl TemplateInput {
    /// Writes a mark at the place of every image; templates of most models know no other way. `None` when a place is in
    /// no message, or inside of a character.
    pub fn marked<'m>(mut self, marks: impl DoubleEndedIterator<Item = (Placed, &'m str)>) -> Option<Self> {
        // From the last to the first, so that places stay what they are.
        for (Placed { message, at }, mark) in marks.rev() {
            let message = self.messages.get_mut(message)?;
            if !message.content.is_char_boundary(at) {
                return None;
            }
            message.content.insert_str(at, mark);
            message.images += 1;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_the_images_do() {
        let messages = vec![TemplateMessage::new(Role::User, "ab"), TemplateMessage::new(Role::User, "\u{e9}")];
        let input = TemplateInput { messages, ..TemplateInput::default() };
        let marked = |places: &[(usize, usize)]| {
            let marks: Vec<(Placed, String)> = (0..)
                .zip(places)
                .map(|(number, (message, at))| (Placed { message: *message, at: *at }, format!("<{number}>")))
                .collect();
            let input = input.clone().marked(marks.iter().map(|(place, mark)| (*place, &**mark)))?;
            Some(input.messages.iter().map(|message| message.content.clone()).collect::<Vec<_>>())
        };
        let text = |one: &str, other: &str| Some(vec![one.to_owned(), other.to_owned()]);
        assert_eq!(marked(&[(0, 0), (0, 0), (0, 1), (1, 2)]), text("<0><1>a<2>b", "\u{e9}<3>"));
        for nowhere in [(2, 0), (0, 3), (1, 1)] {
            assert_eq!(marked(&[nowhere]), None, "{nowhere:?}");
        }
    }
}

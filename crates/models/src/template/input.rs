//! What a template is given: messages with all that may hang on them, tools, and whether to think.

use stoa_model::completion::PromptMessage;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::ToolCall;

use crate::protocol::Talk;

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

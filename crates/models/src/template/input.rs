//! What a template is given: messages with all that may hang on them, tools, and whether to think.

use crate::options::Think;
use crate::protocol;
use stoa_model::json::Json;

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

/// Who says something in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    System,
    #[default]
    User,
    Assistant,
    Tool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TemplateToolCall {
    pub id: String,
    pub name: String,
    /// An object; its keys stay in their order.
    pub arguments: Json,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant, Self::Tool].into_iter().find(|role| role.as_str() == text)
    }
}

impl TemplateMessage {
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), ..Self::default() }
    }
}

impl From<&protocol::Message> for TemplateMessage {
    fn from(message: &protocol::Message) -> Self {
        Self::new(Role::parse(message.role.as_str()).unwrap_or_default(), message.content.as_str())
    }
}

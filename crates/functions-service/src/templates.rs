//! What functions begin as: small programs that run as they are and say where to change them.

use serde::Serialize;
use serde_json::{Value, json};
use stoa_model::function::{Language, ModelAccess};

use crate::code::{Code, CodeError};

/// What a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// Speaks the OpenAI protocol, and can become a model of the chat.
    Agent,
    /// Likewise, and asks a model itself.
    AgentWithModel,
    Mcp,
    Webhook,
    Job,
}

/// A text in both languages of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Words {
    pub en: &'static str,
    pub zh: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Template {
    pub id: &'static str,
    pub language: Language,
    pub kind: TemplateKind,
    pub title: Words,
    pub description: Words,
    #[serde(skip)]
    file: (&'static str, &'static str),
}

const fn words(en: &'static str, zh: &'static str) -> Words {
    Words { en, zh }
}

macro_rules! file {
    ($folder:literal, $name:literal) => {
        ($name, include_str!(concat!("../templates/", $folder, "/", $name)))
    };
}

pub const TEMPLATES: [Template; 7] = [
    Template {
        id: "python-agent",
        language: Language::Python,
        kind: TemplateKind::Agent,
        title: words("Agent", "智能体"),
        description: words(
            "Answers in the OpenAI protocol with what you write. Begin here.",
            "以 OpenAI 协议回答你写下的内容。从这里开始。",
        ),
        file: file!("python-agent", "app.py"),
    },
    Template {
        id: "node-agent",
        language: Language::Node,
        kind: TemplateKind::Agent,
        title: words("Agent", "智能体"),
        description: words(
            "Answers in the OpenAI protocol with what you write. Begin here.",
            "以 OpenAI 协议回答你写下的内容。从这里开始。",
        ),
        file: file!("node-agent", "index.mjs"),
    },
    Template {
        id: "python-model-agent",
        language: Language::Python,
        kind: TemplateKind::AgentWithModel,
        title: words("Agent with a model", "调用模型的智能体"),
        description: words(
            "Asks a model through Stoa with a role of its own, and passes the answer on.",
            "带着自己的角色通过 Stoa 询问模型，并转达回答。",
        ),
        file: file!("python-model-agent", "app.py"),
    },
    Template {
        id: "node-model-agent",
        language: Language::Node,
        kind: TemplateKind::AgentWithModel,
        title: words("Agent with a model", "调用模型的智能体"),
        description: words(
            "Asks a model through Stoa with a role of its own, and passes the answer on.",
            "带着自己的角色通过 Stoa 询问模型，并转达回答。",
        ),
        file: file!("node-model-agent", "index.mjs"),
    },
    Template {
        id: "python-mcp",
        language: Language::Python,
        kind: TemplateKind::Mcp,
        title: words("MCP server", "MCP 服务器"),
        description: words(
            "Tools in the Model Context Protocol: dice and the time, and yours.",
            "以模型上下文协议提供工具：骰子、时间，以及你自己的工具。",
        ),
        file: file!("python-mcp", "app.py"),
    },
    Template {
        id: "python-webhook",
        language: Language::Python,
        kind: TemplateKind::Webhook,
        title: words("Webhook", "Webhook"),
        description: words(
            "Takes what another service sends, if its signature is right.",
            "接收其他服务发来的内容，并核对签名。",
        ),
        file: file!("python-webhook", "app.py"),
    },
    Template {
        id: "python-job",
        language: Language::Python,
        kind: TemplateKind::Job,
        title: words("Scheduled job", "定时任务"),
        description: words("Does something at times that a timer tells.", "按定时器的安排做事。"),
        file: file!("python-job", "app.py"),
    },
];

pub fn template(id: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.id == id)
}

impl Template {
    pub fn code(&self) -> Result<Code, CodeError> {
        let (name, text) = self.file;
        let mut code = Code::default();
        code.put(name, text.as_bytes().into(), false)?;
        Ok(code)
    }

    /// The program: its name, and its text.
    pub fn file(&self) -> (&'static str, &'static str) {
        self.file
    }

    /// What it asks for, where that is not what everything asks for.
    pub fn settings(&self) -> Value {
        let interpreter = if self.language == Language::Node { "node" } else { "python3" };
        // Agents wait for models and for people most of the time.
        let concurrency = if matches!(self.kind, TemplateKind::Job) { 1 } else { 8 };
        let mut settings = json!({ "command": [interpreter, self.file.0], "concurrency": concurrency });
        if self.kind == TemplateKind::AgentWithModel {
            settings["environment"] = json!({ "MODEL": "local/smollm2:135m" });
        }
        settings
    }

    /// Those that ask a model may ask any that their owner may.
    pub const fn models(&self) -> ModelAccess {
        if matches!(self.kind, TemplateKind::AgentWithModel) { ModelAccess::All } else { ModelAccess::Off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_in_order_and_none_is_there_twice() {
        for (number, one) in TEMPLATES.iter().enumerate() {
            assert!(TEMPLATES.iter().skip(number + 1).all(|other| other.id != one.id));
            let spec: stoa_functions::Spec = serde_json::from_value(one.settings()).unwrap();
            let code = one.code().unwrap();
            assert!(code.get(&spec.command[1]).is_some(), "{}", one.id);
            assert!(!one.title.zh.is_empty() && !one.description.zh.is_empty());
        }
    }
}

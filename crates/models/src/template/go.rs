//! The template layers of Ollama's models, which are Go's text/template.
//!
//! The data is what Ollama's page on templates lists; the language is that of `stoa_go_template`.

use std::rc::Rc;

use indexmap::IndexMap;
use stoa_go_template::{Error, Limits, Object, Run, Template, Value};
use stoa_model::Timestamp;

use super::input::{Role, TemplateInput, TemplateMessage, TemplateToolCall};
use super::{BYTES_PER_FUEL, Capabilities, FUEL, MAX_TEMPLATE_BYTES, TemplateError, date};
use crate::protocol::MAX_PROMPT_BYTES;
use stoa_model::json::Json;
use stoa_model::think::Think;

const LIMITS: Limits = Limits { fuel: FUEL, bytes_per_fuel: BYTES_PER_FUEL, output_bytes: MAX_PROMPT_BYTES };

/// Where the answer of the model goes.
const RESPONSE: &str = "Response";

/// A template layer that has been read once.
#[derive(Debug)]
pub struct GoTemplate {
    template: Template,
    uses_messages: bool,
    writes_response: bool,
    capabilities: Capabilities,
}

impl GoTemplate {
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLong { bytes: source.len() });
        }
        let template = Template::parse(source)?;
        let uses = |names: &[&str]| template.looks_at(names);
        Ok(Self {
            uses_messages: uses(&["Messages"]),
            writes_response: uses(&[RESPONSE]),
            capabilities: Capabilities {
                tools: uses(&["Tools"]),
                thinking: uses(&["Think", "ThinkLevel", "IsThinkSet", "Thinking"]) || source.contains("<think>"),
                insert: uses(&["Suffix"]),
            },
            template,
        })
    }

    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The prompt of `input`, ending where the model's answer begins.
    ///
    /// A template that looks at `.Messages` gets all of them; texts that follow one another in the same role are one
    /// message, since models expect the roles to alternate. An older one, which knows `.System`, `.Prompt` and
    /// `.Response` only, is applied to each turn in its order. What stands behind `.Response` in the last turn is left
    /// out, because the model itself writes that. With a suffix, a template that knows it gets that and the last
    /// message of the user.
    pub fn render(&self, input: &TemplateInput, now: Timestamp) -> Result<String, TemplateError> {
        let today =
            date::format(now, "%Y-%m-%d").map_err(|error| TemplateError::Render { detail: error.to_string() })?;
        let mut run = Run::new(&self.template, LIMITS, today);
        if !input.suffix.is_empty() && self.capabilities.insert {
            let prompt = input.messages.iter().rfind(|message| message.role == Role::User);
            let turn =
                Turn { prompt: prompt.map_or_else(String::new, |message| message.content.clone()), ..Turn::default() };
            run.execute(&data(input, &turn, &[]), Some(RESPONSE))?;
        } else if self.uses_messages {
            let system = joined(input.messages.iter().filter(|message| message.role == Role::System));
            let messages = collated(&input.messages);
            run.execute(&data(input, &Turn { system, ..Turn::default() }, &messages), Some(RESPONSE))?;
        } else {
            self.turns(input, &mut run)?;
        }
        Ok(run.into_output())
    }

    fn turns<'t>(&'t self, input: &TemplateInput, run: &mut Run<'t>) -> Result<(), TemplateError> {
        let turns = turns(&input.messages);
        for (index, turn) in turns.iter().enumerate() {
            let is_last = index + 1 == turns.len();
            run.execute(&data(input, turn, &[]), is_last.then_some(RESPONSE))?;
            // A template that never writes the answer has it at its end.
            if !self.writes_response {
                run.push(&turn.response)?;
            }
        }
        Ok(())
    }
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        match error {
            Error::Syntax { .. } => Self::Syntax { detail: error.to_string() },
            Error::TooCostly => Self::TooCostly,
            Error::OutputTooLong => Self::OutputTooLong,
            Error::Run { detail } => Self::Render { detail },
        }
    }
}

/// What the user said and what was answered, with the system's text before it.
#[derive(Debug, Default)]
struct Turn {
    system: String,
    prompt: String,
    response: String,
}

/// At least one turn, so that a template of an empty conversation opens the answer.
fn turns(messages: &[TemplateMessage]) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut turn = Turn::default();
    for message in messages {
        let begins_a_turn = match message.role {
            Role::System => !turn.prompt.is_empty() || !turn.response.is_empty(),
            Role::User | Role::Tool => !turn.response.is_empty(),
            Role::Assistant => false,
        };
        if begins_a_turn {
            turns.push(std::mem::take(&mut turn));
        }
        let text = match message.role {
            Role::System => &mut turn.system,
            Role::User | Role::Tool => &mut turn.prompt,
            Role::Assistant => &mut turn.response,
        };
        add(text, &message.content);
    }
    turns.push(turn);
    turns
}

/// Texts that follow one another in the same role are one, with a blank line between.
fn add(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

/// The messages with those put together that follow one another in the same role and are text alone.
fn collated(messages: &[TemplateMessage]) -> Vec<TemplateMessage> {
    let is_text = |message: &TemplateMessage| message.role != Role::Tool && message.tool_calls.is_empty();
    let mut collated: Vec<TemplateMessage> = Vec::with_capacity(messages.len());
    for message in messages {
        match collated.last_mut() {
            Some(last) if last.role == message.role && is_text(last) && is_text(message) => {
                add(&mut last.content, &message.content);
                last.images += message.images;
                if last.reasoning.is_none() {
                    last.reasoning.clone_from(&message.reasoning);
                }
            }
            _ => collated.push(message.clone()),
        }
    }
    collated
}

fn joined<'a>(messages: impl Iterator<Item = &'a TemplateMessage>) -> String {
    messages.fold(String::new(), |mut text, message| {
        add(&mut text, &message.content);
        text
    })
}

/// The data of a template, by the names of Ollama's documentation.
fn data(input: &TemplateInput, turn: &Turn, messages: &[TemplateMessage]) -> Value {
    let think = input.think;
    Value::record([
        ("System", Value::text(turn.system.as_str())),
        ("Prompt", Value::text(turn.prompt.as_str())),
        ("Response", Value::text(turn.response.as_str())),
        ("Suffix", Value::text(input.suffix.as_str())),
        ("Messages", Value::list(messages.iter().map(of_message).collect())),
        ("Tools", Value::list(input.tools.iter().map(of_json).collect())),
        ("Think", Value::Bool(think.is_some_and(Think::is_on))),
        ("ThinkLevel", Value::text(think.and_then(Think::level).unwrap_or_default())),
        ("IsThinkSet", Value::Bool(think.is_some())),
    ])
}

fn of_message(message: &TemplateMessage) -> Value {
    let text = |text: &Option<String>| Value::text(text.as_deref().unwrap_or_default());
    Value::record([
        ("role", Value::text(message.role.as_str())),
        ("content", Value::text(message.content.as_str())),
        ("thinking", text(&message.reasoning)),
        ("images", Value::list(vec![Value::text(""); message.images])),
        ("tool_calls", Value::list(message.tool_calls.iter().enumerate().map(of_call).collect())),
        ("tool_name", text(&message.tool_name)),
        ("tool_call_id", text(&message.tool_call_id)),
    ])
}

fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::Float(value),
            (None, None) => Value::Missing,
        },
        Json::Text(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(of_json).collect()),
        Json::Object(entries) => Value::Object(Rc::new(Object {
            entries: entries.iter().map(|(key, value)| (key.clone(), of_json(value))).collect(),
        })),
    }
}

fn of_call((index, call): (usize, &TemplateToolCall)) -> Value {
    let arguments = match of_json(&call.arguments) {
        object @ Value::Object(_) => object,
        _ => Value::Object(Rc::new(Object { entries: IndexMap::new() })),
    };
    let function = Value::record([
        ("index", Value::Int(i64::try_from(index).unwrap_or(i64::MAX))),
        ("name", Value::text(call.name.as_str())),
        ("arguments", arguments),
    ]);
    Value::record([("id", Value::text(call.id.as_str())), ("function", function)])
}

#[cfg(test)]
mod families;
#[cfg(test)]
mod tests;

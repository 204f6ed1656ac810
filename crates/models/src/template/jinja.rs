//! The variables of a Jinja template, as the Hugging Face documentation of chat templates names them.

use minijinja::context;
use minijinja::value::{Rest, Value};
use stoa_model::Timestamp;

use super::date;
use super::input::{TemplateInput, TemplateMessage, TemplateToolCall};
use stoa_model::json::Json;

/// In which of several shapes a template gets the same thing. The first is what the documentation asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The arguments of earlier calls are JSON in a text, not an object.
    arguments_as_text: bool,
    /// What is said is a list of parts, not a text.
    content_as_parts: bool,
}

impl Shape {
    pub(super) const OTHERS: [Self; 3] = [
        Self { arguments_as_text: true, content_as_parts: false },
        Self { arguments_as_text: false, content_as_parts: true },
        Self { arguments_as_text: true, content_as_parts: true },
    ];
}

pub(super) fn values(input: &TemplateInput, shape: Shape, bos: &str, eos: &str, now: Timestamp) -> Value {
    let messages: Vec<Value> = input.messages.iter().map(|message| of_message(message, shape)).collect();
    let tools =
        if input.tools.is_empty() { Value::from(()) } else { input.tools.iter().map(of_json).collect::<Value>() };
    let mut values: Vec<(&str, Value)> = vec![
        ("messages", Value::from(messages)),
        ("tools", tools),
        ("documents", Value::from(())),
        ("add_generation_prompt", Value::from(true)),
        ("bos_token", Value::from(bos)),
        ("eos_token", Value::from(eos)),
        ("strftime_now", Value::from_function(move |format: String, _: Rest<Value>| date::format(now, &format))),
    ];
    if let Some(think) = input.think {
        // The two names that makers have given it.
        values.extend(["enable_thinking", "thinking"].map(|name| (name, Value::from(think.is_on()))));
        values.extend(think.level().map(|level| ("reasoning_effort", Value::from(level))));
    }
    Value::from_pairs(values)
}

fn of_message(message: &TemplateMessage, shape: Shape) -> Value {
    let content = Value::from(message.content.as_str());
    let content =
        if shape.content_as_parts { Value::from(vec![context! { type => "text", text => content }]) } else { content };
    let mut values: Vec<(&str, Value)> = vec![("role", Value::from(message.role.as_str())), ("content", content)];
    if let Some(reasoning) = &message.reasoning {
        values.extend(["reasoning_content", "thinking"].map(|name| (name, Value::from(reasoning.as_str()))));
    }
    if !message.tool_calls.is_empty() {
        let calls: Vec<Value> = message.tool_calls.iter().map(|call| of_call(call, shape)).collect();
        values.push(("tool_calls", Value::from(calls)));
    }
    if let Some(id) = &message.tool_call_id {
        values.push(("tool_call_id", Value::from(id.as_str())));
    }
    if let Some(name) = &message.tool_name {
        values.push(("name", Value::from(name.as_str())));
    }
    Value::from_pairs(values)
}

fn of_call(call: &TemplateToolCall, shape: Shape) -> Value {
    let arguments =
        if shape.arguments_as_text { Value::from(call.arguments.to_string()) } else { of_json(&call.arguments) };
    context! {
        id => call.id.as_str(),
        type => "function",
        function => context! { name => call.name.as_str(), arguments },
    }
}

fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => Value::from(value),
            (_, Some(value), _) => Value::from(value),
            (_, _, Some(value)) => Value::from(value),
            (None, None, None) => Value::from(()),
        },
        Json::Text(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(of_json).collect(),
        Json::Object(entries) => Value::from_pairs(entries.iter().map(|(key, value)| (key.as_str(), of_json(value)))),
    }
}

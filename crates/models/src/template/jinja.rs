//! The variables of a Jinja template, as the Hugging Face documentation of chat templates names them.

use minijinja::context;
use minijinja::value::{Rest, Value};
use stoa_model::Timestamp;

use super::date;
use super::input::{TemplateInput, TemplateMessage, TemplateToolCall};
use crate::json::Json;

/// What the arguments of earlier calls are for the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// What the documentation asks for.
    Object,
    /// What some templates were written for.
    Text,
}

pub(super) fn values(input: &TemplateInput, arguments: Arguments, bos: &str, eos: &str, now: Timestamp) -> Value {
    let messages: Vec<Value> = input.messages.iter().map(|message| of_message(message, arguments)).collect();
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

fn of_message(message: &TemplateMessage, arguments: Arguments) -> Value {
    let mut values: Vec<(&str, Value)> =
        vec![("role", Value::from(message.role.as_str())), ("content", Value::from(message.content.as_str()))];
    if let Some(reasoning) = &message.reasoning {
        values.extend(["reasoning_content", "thinking"].map(|name| (name, Value::from(reasoning.as_str()))));
    }
    if !message.tool_calls.is_empty() {
        let calls: Vec<Value> = message.tool_calls.iter().map(|call| of_call(call, arguments)).collect();
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

fn of_call(call: &TemplateToolCall, arguments: Arguments) -> Value {
    let arguments = match arguments {
        Arguments::Object => of_json(&call.arguments),
        Arguments::Text => Value::from(call.arguments.to_string()),
    };
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

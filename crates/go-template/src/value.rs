//! Values of a Go template: what Ollama's data, tools and constants become.

use std::fmt::Write;
use std::rc::Rc;

use indexmap::IndexMap;

#[derive(Clone, Debug)]
pub enum Value {
    /// What is not there: a field that the data lacks, or Go's nil. It is false, and nothing is written for it.
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Items),
    Object(Rc<Object>),
}

/// A list, or a part of one: a slice copies nothing.
#[derive(Clone, Debug)]
pub struct Items {
    all: Rc<Vec<Value>>,
    start: usize,
    end: usize,
}

/// A map, or a record of the data.
#[derive(Debug)]
pub struct Object {
    /// Under the names that JSON has for them.
    pub entries: IndexMap<String, Value>,
}

impl Items {
    pub fn new(items: Vec<Value>) -> Self {
        Self { start: 0, end: items.len(), all: Rc::new(items) }
    }

    pub fn as_slice(&self) -> &[Value] {
        self.all.get(self.start..self.end).unwrap_or_default()
    }

    /// `None` when the ends are not in order or outside.
    pub(super) fn part(&self, start: usize, end: usize) -> Option<Self> {
        let in_order = start <= end && end <= self.end - self.start;
        in_order.then(|| Self { all: Rc::clone(&self.all), start: self.start + start, end: self.start + end })
    }
}

impl Value {
    pub fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn record(entries: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self::Object(Rc::new(Object { entries }))
    }

    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Items::new(items))
    }

    /// The field that Go calls `name`; missing of what has none.
    pub(super) fn field(&self, name: &str) -> Self {
        let Self::Object(object) = self else { return Self::Missing };
        if let Some(value) = object.entries.get(name) {
            return value.clone();
        }
        object.entries.get(json_name(name).as_str()).cloned().unwrap_or(Self::Missing)
    }

    /// What `if`, `and` and `not` take for true: all but what is zero or empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.as_slice().is_empty(),
            Self::Object(object) => !object.entries.is_empty(),
        }
    }

    /// What Go calls the type in an error or in a failed `printf`.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Missing => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Object(_) => "map[string]interface {}",
        }
    }

    /// What an action writes: texts and numbers as they are, lists and objects as JSON, as Ollama's tools and
    /// arguments write themselves.
    pub(super) fn write(&self, output: &mut String) {
        match self {
            Self::Missing => {}
            Self::Bool(value) => output.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => {
                let _ = write!(output, "{value}");
            }
            Self::Float(value) => output.push_str(&crate::format::shortest(*value)),
            Self::Text(text) => output.push_str(text),
            Self::List(_) | Self::Object(_) => self.write_json(output),
        }
    }

    /// JSON as Go's encoder writes it, except that it escapes nothing for HTML: a model reads this.
    pub(super) fn write_json(&self, output: &mut String) {
        match self {
            Self::Missing => output.push_str("null"),
            Self::Bool(_) | Self::Int(_) => self.write(output),
            Self::Float(value) => match serde_json::Number::from_f64(*value) {
                Some(number) => {
                    let _ = write!(output, "{number}");
                }
                None => output.push_str("null"),
            },
            Self::Text(text) => write_text(output, text),
            Self::List(items) => {
                output.push('[');
                for (index, item) in items.as_slice().iter().enumerate() {
                    if index > 0 {
                        output.push(',');
                    }
                    item.write_json(output);
                }
                output.push(']');
            }
            Self::Object(object) => {
                output.push('{');
                for (index, (key, value)) in object.entries.iter().enumerate() {
                    if index > 0 {
                        output.push(',');
                    }
                    write_text(output, key);
                    output.push(':');
                    value.write_json(output);
                }
                output.push('}');
            }
        }
    }

    /// Bytes that the value takes when it is written, roughly: what is paid for before it is.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.as_slice().iter().map(|item| item.weight().saturating_add(1)).sum(),
            Self::Object(object) => object
                .entries
                .iter()
                .map(|(key, value)| key.len().saturating_add(value.weight()).saturating_add(4))
                .sum(),
            _ => 8,
        }
    }
}

fn write_text(output: &mut String, text: &str) {
    // A text can always be written.
    output.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// The name in JSON of what Go calls `ToolCalls`: `tool_calls`.
fn json_name(name: &str) -> String {
    if name == "Defs" {
        return "$defs".to_owned();
    }
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for character in name.chars() {
        if character.is_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = character.is_lowercase() || character.is_ascii_digit();
        snake.extend(character.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_go_find_the_keys_of_json() {
        for (go, json) in [
            ("Name", "name"),
            ("ToolCalls", "tool_calls"),
            ("ID", "id"),
            ("ToolCallID", "tool_call_id"),
            ("Defs", "$defs"),
        ] {
            assert_eq!(json_name(go), json);
        }
    }

    #[test]
    fn keys_may_be_used_as_they_are_in_json() {
        let value = Value::record([("anyOf", Value::Bool(true)), ("name", Value::Bool(true))]);
        assert!(value.field("anyOf").is_true());
        assert!(value.field("Name").is_true());
        assert!(!value.field("Other").is_true());
    }

    #[test]
    fn parts_of_lists_stay_inside() {
        let items = Items::new(vec![Value::Int(1), Value::Int(2), Value::Int(3)]);
        let part = items.part(1, 3).unwrap();
        assert_eq!(part.as_slice().len(), 2);
        assert_eq!(part.part(1, 2).unwrap().as_slice().len(), 1);
        assert!(part.part(1, 3).is_none());
        assert!(part.part(2, 1).is_none());
    }
}

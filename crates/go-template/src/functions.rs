//! The functions a Go template may call: those of text/template, and Ollama's `json` and `currentDate`.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::format;
use crate::value::Value;

/// Every name but `and` and `or`, which do not look at all of their arguments.
const NAMES: &[&str] = &[
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "json",
    "currentDate",
];

pub(super) fn exists(name: &str) -> bool {
    matches!(name, "and" | "or") || NAMES.contains(&name)
}

/// Bytes that a call may make or look at, to be paid for before it runs.
pub(super) fn cost(name: &str, arguments: &[Value]) -> usize {
    let all = || arguments.iter().fold(0_usize, |sum, argument| sum.saturating_add(argument.weight()));
    match (name, arguments.first()) {
        // One byte may become six.
        ("html" | "js" | "urlquery", _) => all().saturating_mul(6),
        ("slice", Some(Value::Text(text))) => text.len(),
        ("print" | "println" | "printf" | "json" | "eq" | "ne" | "lt" | "le" | "gt" | "ge", _) => all(),
        _ => 0,
    }
}

/// The result of a function, or what is wrong with its arguments. `today` is the date in the form of ISO 8601, `limit`
/// the longest text of `printf`.
pub(super) fn call(name: &str, arguments: &[Value], today: &str, limit: usize) -> Result<Value, String> {
    match (name, arguments) {
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("eq", [first, rest @ ..]) if !rest.is_empty() => {
            for other in rest {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("ne", [left, right]) => equal(left, right).map(|equal| Value::Bool(!equal)),
        ("lt", [left, right]) => order(left, right).map(|order| Value::Bool(order == Some(Ordering::Less))),
        ("le", [left, right]) => order(left, right).map(|order| Value::Bool(order.is_some_and(Ordering::is_le))),
        ("gt", [left, right]) => order(left, right).map(|order| Value::Bool(order == Some(Ordering::Greater))),
        ("ge", [left, right]) => order(left, right).map(|order| Value::Bool(order.is_some_and(Ordering::is_ge))),
        ("len", [value]) => length(value),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), |value, key| index(&value, key)),
        ("slice", [value, ends @ ..]) => slice(value, ends),
        ("print", arguments) => Ok(Value::text(print(arguments))),
        ("println", arguments) => Ok(Value::text(println(arguments))),
        ("printf", [Value::Text(format), rest @ ..]) => format::printf(format, rest, limit)
            .map(Value::text)
            .ok_or_else(|| "what printf writes is too long".to_owned()),
        ("html", arguments) => Ok(Value::text(html(&print(arguments)))),
        ("js", arguments) => Ok(Value::text(js(&print(arguments)))),
        ("urlquery", arguments) => Ok(Value::text(urlquery(&print(arguments)))),
        ("json", [value]) => {
            let mut text = String::new();
            value.write_json(&mut text);
            Ok(Value::text(text))
        }
        ("currentDate", []) => Ok(Value::text(today)),
        _ => Err(format!("{name} does not take {} such arguments", arguments.len())),
    }
}

fn incomparable(left: &Value, right: &Value) -> String {
    format!("{} and {} cannot be compared", left.type_name(), right.type_name())
}

/// What is missing equals only what is missing.
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "numbers are compared as Go compares them")]
fn equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Missing, Value::Missing) => Ok(true),
        (Value::Missing, _) | (_, Value::Missing) => Ok(false),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Int(left), Value::Int(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Int(left), Value::Float(right)) | (Value::Float(right), Value::Int(left)) => Ok(*left as f64 == *right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        _ => Err(incomparable(left, right)),
    }
}

/// `None` when one of them is not a number.
#[expect(clippy::cast_precision_loss, reason = "numbers are compared as Go compares them")]
fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Int(left), Value::Float(right)) => Ok((*left as f64).partial_cmp(right)),
        (Value::Float(left), Value::Int(right)) => Ok(left.partial_cmp(&(*right as f64))),
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        _ => Err(incomparable(left, right)),
    }
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.as_slice().len(),
        Value::Object(object) => object.entries.len(),
        value => return Err(format!("{} has no length", value.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn position(value: &Value) -> Option<usize> {
    match value {
        Value::Int(value) => usize::try_from(*value).ok(),
        _ => None,
    }
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::Object(object), Value::Text(key)) => {
            Ok(object.entries.get(key.as_ref()).cloned().unwrap_or(Value::Missing))
        }
        (Value::List(items), key) => position(key)
            .and_then(|position| items.as_slice().get(position))
            .cloned()
            .ok_or_else(|| format!("index {} is out of range", json(key))),
        (Value::Text(text), key) => position(key)
            .and_then(|position| text.as_bytes().get(position))
            .map(|byte| Value::Int(i64::from(*byte)))
            .ok_or_else(|| format!("index {} is out of range", json(key))),
        _ => Err(format!("{} has no index {}", value.type_name(), json(key))),
    }
}

fn json(value: &Value) -> String {
    let mut text = String::new();
    value.write_json(&mut text);
    text
}

fn slice(value: &Value, ends: &[Value]) -> Result<Value, String> {
    let out_of_range = || "the ends of a slice are out of range".to_owned();
    let end =
        |index: usize, otherwise: usize| ends.get(index).map_or(Some(otherwise), position).ok_or_else(out_of_range);
    match value {
        Value::Text(text) if ends.len() <= 2 => {
            let (start, end) = (end(0, 0)?, end(1, text.len())?);
            text.get(start..end).map(Value::text).ok_or_else(out_of_range)
        }
        Value::List(items) if ends.len() <= 3 => {
            let (start, end) = (end(0, 0)?, end(1, items.as_slice().len())?);
            items.part(start, end).map(Value::List).ok_or_else(out_of_range)
        }
        value => Err(format!("{} cannot be sliced so", value.type_name())),
    }
}

/// With a space between two of which neither is a text.
fn print(values: &[Value]) -> String {
    let mut output = String::new();
    let mut before: Option<&Value> = None;
    for value in values {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if before.is_some_and(|before| !is_text(before) && !is_text(value)) {
            output.push(' ');
        }
        value.write(&mut output);
        before = Some(value);
    }
    output
}

fn println(values: &[Value]) -> String {
    let mut output = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            output.push(' ');
        }
        value.write(&mut output);
    }
    output.push('\n');
    output
}

fn html(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => output.push_str("&#34;"),
            '\'' => output.push_str("&#39;"),
            '&' => output.push_str("&amp;"),
            '<' => output.push_str("&lt;"),
            '>' => output.push_str("&gt;"),
            '\0' => output.push(char::REPLACEMENT_CHARACTER),
            character => output.push(character),
        }
    }
    output
}

fn js(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => output.push_str("\\\\"),
            '\'' => output.push_str("\\'"),
            '"' => output.push_str("\\\""),
            '<' | '>' | '&' | '=' => {
                let _ = write!(output, "\\u{:04X}", u32::from(character));
            }
            character if character.is_control() || character.is_whitespace() && character != ' ' => {
                let _ = write!(output, "\\u{:04X}", u32::from(character));
            }
            character => output.push(character),
        }
    }
    output
}

fn urlquery(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => output.push(char::from(byte)),
            b' ' => output.push('+'),
            byte => {
                let _ = write!(output, "%{byte:02X}");
            }
        }
    }
    output
}

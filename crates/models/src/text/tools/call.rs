//! What a model wrote between its marks, as calls.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use stoa_model::json::Json;

/// The longest name of a tool in bytes.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// A call before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The names that families have for the same two things.
#[derive(Deserialize)]
struct Form<'a> {
    #[serde(borrow, default, alias = "tool_name")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "parameters")]
    arguments: Option<&'a RawValue>,
    /// OpenAI's own form has both in here.
    #[serde(borrow, default)]
    function: Option<&'a RawValue>,
}

/// One call or a list of them; `None` when any of it is no call.
pub(super) fn read_all(text: &str) -> Option<Vec<Written>> {
    if !text.starts_with('[') {
        return read(text).map(|call| vec![call]);
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let calls: Option<Vec<Written>> = items.into_iter().map(|item| read(item.get())).collect();
    calls.filter(|calls| !calls.is_empty())
}

fn read(text: &str) -> Option<Written> {
    let form: Form<'_> = serde_json::from_str(text).ok()?;
    if let (None, Some(function)) = (&form.name, form.function) {
        let inner: Form<'_> = serde_json::from_str(function.get()).ok()?;
        return named(&inner.name?, inner.arguments.map_or("{}", RawValue::get));
    }
    named(&form.name?, form.arguments.map_or("{}", RawValue::get))
}

/// A call of `name` with an object of arguments, which may itself be written as a text.
pub(super) fn named(name: &str, arguments: &str) -> Option<Written> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return None;
    }
    let call = |arguments: &str| Written { name: name.to_owned(), arguments: arguments.to_owned() };
    match Json::parse(arguments).ok()? {
        Json::Object(_) => Some(call(arguments)),
        Json::Text(text) => match Json::parse(&text).ok()? {
            Json::Object(_) => Some(call(text.trim())),
            _ => None,
        },
        _ => None,
    }
}

/// The value of an argument that stands between tags, without quotes: a text when the tool wants one, or when it reads as
/// nothing else.
pub(super) fn parameter(value: &str, is_text: bool) -> Json {
    let value = value.strip_prefix('\n').unwrap_or(value);
    let value = value.strip_suffix('\n').unwrap_or(value);
    match Json::parse(value) {
        Ok(other) if !is_text && !matches!(other, Json::Text(_)) => other,
        _ => Json::Text(value.to_owned()),
    }
}

/// Whether an object that begins so may be a call, by its first key; `None` while that is not there. What begins
/// otherwise need not be held back.
pub(super) fn may_begin(text: &str) -> Option<bool> {
    let Some(inside) = text.strip_prefix('{') else { return Some(text.is_empty()).filter(|empty| !empty) };
    let inside = inside.trim_start();
    let Some(key) = inside.strip_prefix('"') else { return if inside.is_empty() { None } else { Some(false) } };
    match key.split_once('"') {
        Some((key, _)) => {
            Some(matches!(key, "name" | "tool_name" | "arguments" | "parameters" | "function" | "type" | "id"))
        }
        None if key.len() > MAX_NAME_BYTES => Some(false),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &str) -> Written {
        Written { name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn the_forms_of_all_families_are_read() {
        for text in [
            r#"{"name":"f","arguments":{"b":1,"a":2}}"#,
            r#"{"parameters":{"b":1,"a":2},"name":"f","id":"x"}"#,
            r#"{"tool_name":"f","parameters":{"b":1,"a":2}}"#,
            r#"{"type":"function","function":{"name":"f","arguments":{"b":1,"a":2}}}"#,
            r#"{"name":"f","arguments":"{\"b\":1,\"a\":2}"}"#,
        ] {
            assert_eq!(read_all(text), Some(vec![call("f", r#"{"b":1,"a":2}"#)]), "{text}");
        }
        assert_eq!(read_all(r#"{"name":"f"}"#), Some(vec![call("f", "{}")]));
        assert_eq!(read_all(r#"[{"name":"f"},{"name":"g"}]"#).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_call_is_none() {
        for text in [
            "{}",
            "[]",
            "[1]",
            r#"{"name":""}"#,
            r#"{"name":1}"#,
            r#"{"name":"f","arguments":[]}"#,
            r#"{"name":"f","arguments":"x"}"#,
            r#"[{"name":"f"},{}]"#,
            r#"{"name":"f","name":"g"}"#,
            r#"{"name":"f"}}"#,
        ] {
            assert_eq!(read_all(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_key_tells_early_that_an_object_is_no_call() {
        for (text, expected) in [
            ("{", None),
            ("{ \"na", None),
            ("{\"name\"", Some(true)),
            ("{\"answer\"", Some(false)),
            ("{}", Some(false)),
            ("{1", Some(false)),
        ] {
            assert_eq!(may_begin(text), expected, "{text}");
        }
    }
}

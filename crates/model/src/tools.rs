//! Tools that a model may call, and the calls that it asks for.

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// The most tools of one request.
pub const MAX_TOOLS: usize = 128;

/// Bytes of all tools of one request, without white space.
pub const MAX_TOOLS_BYTES: usize = 512 * 1024;

/// How deep the description of a tool may nest.
pub const MAX_TOOL_DEPTH: usize = 40;

/// The longest name of a tool in bytes.
pub const MAX_TOOL_NAME_BYTES: usize = 256;

/// A call that a model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// An object as JSON, as the model wrote it: its keys are in their order.
    pub arguments: String,
}

/// What a model is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// Each as OpenAI and Ollama write it: `{"type":"function","function":{…}}`.
    pub offered: Vec<Json>,
    pub choice: ToolChoice,
    /// One call at most is wanted.
    pub one_call: bool,
}

/// Whether a tool is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model thinks best.
    #[default]
    Auto,
    None,
    /// One of them.
    Required,
    /// This one.
    Named(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolsError {
    #[error("{count} tools are offered; {MAX_TOOLS} are the most")]
    TooMany { count: usize },
    #[error("the tools have {bytes} bytes; {MAX_TOOLS_BYTES} are the most")]
    TooLong { bytes: usize },
    #[error("tool {index} nests {depth} levels deep; {MAX_TOOL_DEPTH} are the most")]
    TooDeep { index: usize, depth: usize },
    #[error("tool {index} is of no type that is known: only functions can be called")]
    NoFunction { index: usize },
    #[error("tool {index} has no name, or one that is longer than {MAX_TOOL_NAME_BYTES} bytes")]
    NoName { index: usize },
    #[error("the parameters of tool {index} are no JSON Schema of an object")]
    Parameters { index: usize },
    #[error("the tool `{name}` is to be called, but is not offered")]
    Unknown { name: String },
    #[error("a tool is to be called, but none is offered")]
    NoneOffered,
}

impl Tools {
    /// Refuses what no model can be told of.
    pub fn check(&self) -> Result<(), ToolsError> {
        if self.offered.len() > MAX_TOOLS {
            return Err(ToolsError::TooMany { count: self.offered.len() });
        }
        let bytes = self.offered.iter().map(|tool| tool.to_string().len()).sum();
        if bytes > MAX_TOOLS_BYTES {
            return Err(ToolsError::TooLong { bytes });
        }
        for (index, tool) in self.offered.iter().enumerate() {
            let depth = tool.depth();
            if depth > MAX_TOOL_DEPTH {
                return Err(ToolsError::TooDeep { index, depth });
            }
            if tool.get("type").is_some_and(|kind| kind.as_text() != Some("function")) {
                return Err(ToolsError::NoFunction { index });
            }
            if !name(tool).is_some_and(|name| (1..=MAX_TOOL_NAME_BYTES).contains(&name.len())) {
                return Err(ToolsError::NoName { index });
            }
            let parameters = tool.get("function").and_then(|function| function.get("parameters"));
            if !matches!(parameters, None | Some(Json::Null | Json::Object(_))) {
                return Err(ToolsError::Parameters { index });
            }
        }
        match &self.choice {
            ToolChoice::Required if self.offered.is_empty() => Err(ToolsError::NoneOffered),
            ToolChoice::Named(wanted) if !self.names().any(|name| name == wanted) => {
                Err(ToolsError::Unknown { name: wanted.clone() })
            }
            _ => Ok(()),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().filter_map(name)
    }

    /// Those that the model is to know of.
    pub fn shown(&self) -> &[Json] {
        if self.choice == ToolChoice::None { &[] } else { &self.offered }
    }

    /// What an answer that must be a call looks like, as a JSON Schema: an object with the name and the arguments of one
    /// of the tools. `None` when the answer may be something else.
    pub fn call_schema(&self) -> Option<Json> {
        let wanted = match &self.choice {
            ToolChoice::Auto | ToolChoice::None => return None,
            ToolChoice::Required => None,
            ToolChoice::Named(name) => Some(name.as_str()),
        };
        let text = |text: &str| Json::Text(text.to_owned());
        let object = |entries: Vec<(&str, Json)>| {
            Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        };
        let calls = self.offered.iter().filter_map(|tool| {
            let name = name(tool).filter(|name| wanted.is_none_or(|wanted| wanted == *name))?;
            let parameters = tool.get("function").and_then(|function| function.get("parameters"));
            let parameters = match parameters {
                Some(parameters @ Json::Object(_)) => parameters.clone(),
                _ => object(vec![("type", text("object"))]),
            };
            Some(object(vec![
                ("type", text("object")),
                ("properties", object(vec![("name", object(vec![("const", text(name))])), ("arguments", parameters)])),
                ("required", Json::Array(vec![text("name"), text("arguments")])),
                ("additionalProperties", Json::Bool(false)),
            ]))
        });
        Some(object(vec![("anyOf", Json::Array(calls.collect()))]))
    }
}

fn name(tool: &Json) -> Option<&str> {
    tool.get("function").and_then(|function| function.get("name")).and_then(Json::as_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(offered: &[&str], choice: ToolChoice) -> Tools {
        let offered = offered.iter().map(|tool| Json::parse(tool).unwrap()).collect();
        Tools { offered, choice, one_call: false }
    }

    const WEATHER: &str = r#"{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}"#;
    const TIME: &str = r#"{"type":"function","function":{"name":"time"}}"#;

    #[test]
    fn what_no_model_can_be_told_of_is_refused() {
        assert_eq!(tools(&[WEATHER, TIME], ToolChoice::Auto).check(), Ok(()));
        assert_eq!(tools(&[r#"{"function":{"name":"f"}}"#], ToolChoice::Auto).check(), Ok(()));
        for (tool, error) in [
            (r#"{"type":"retrieval"}"#, ToolsError::NoFunction { index: 0 }),
            (r#"{"type":"function"}"#, ToolsError::NoName { index: 0 }),
            (r#"{"function":{"name":""}}"#, ToolsError::NoName { index: 0 }),
            (r#"{"function":{"name":"f","parameters":[]}}"#, ToolsError::Parameters { index: 0 }),
        ] {
            assert_eq!(tools(&[tool], ToolChoice::Auto).check(), Err(error), "{tool}");
        }
        let deep = format!(
            r#"{{"function":{{"name":"f","parameters":{}1{}}}}}"#,
            r#"{"a":"#.repeat(MAX_TOOL_DEPTH),
            "}".repeat(MAX_TOOL_DEPTH)
        );
        assert!(matches!(tools(&[&deep], ToolChoice::Auto).check(), Err(ToolsError::TooDeep { .. })));
        assert_eq!(
            tools(&[TIME; MAX_TOOLS + 1], ToolChoice::Auto).check(),
            Err(ToolsError::TooMany { count: MAX_TOOLS + 1 })
        );
    }

    #[test]
    fn a_tool_to_be_called_must_be_offered() {
        assert_eq!(tools(&[TIME], ToolChoice::Named("time".to_owned())).check(), Ok(()));
        let unknown = Err(ToolsError::Unknown { name: "date".to_owned() });
        assert_eq!(tools(&[TIME], ToolChoice::Named("date".to_owned())).check(), unknown);
        assert_eq!(tools(&[], ToolChoice::Required).check(), Err(ToolsError::NoneOffered));
    }

    #[test]
    fn an_answer_that_must_be_a_call_has_a_schema() {
        let schema = |choice| tools(&[WEATHER, TIME], choice).call_schema().map(|schema| schema.to_string());
        assert_eq!(schema(ToolChoice::Auto), None);
        assert_eq!(schema(ToolChoice::None), None);
        let time = r#"{"type":"object","properties":{"name":{"const":"time"},"arguments":{"type":"object"}},"required":["name","arguments"],"additionalProperties":false}"#;
        assert_eq!(schema(ToolChoice::Named("time".to_owned())), Some(format!(r#"{{"anyOf":[{time}]}}"#)));
        let all = schema(ToolChoice::Required).unwrap();
        assert!(all.contains(r#""const":"weather""#) && all.ends_with(&format!("{time}]}}")), "{all}");
    }

    #[test]
    fn a_model_that_is_to_call_none_sees_none() {
        assert!(tools(&[TIME], ToolChoice::None).shown().is_empty());
        assert_eq!(tools(&[TIME], ToolChoice::Auto).shown().len(), 1);
    }
}

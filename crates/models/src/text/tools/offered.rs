//! The tools that a model was offered: their names, and which of their arguments are texts.

use std::collections::{HashMap, HashSet};

use stoa_model::json::Json;

#[derive(Debug, Default)]
pub(super) struct Offered {
    /// The texts among the arguments of each tool.
    texts: HashMap<String, HashSet<String>>,
}

impl Offered {
    /// Tools as OpenAI and Ollama write them; what has no name is none.
    pub(super) fn new(tools: &[Json]) -> Self {
        let texts = tools.iter().filter_map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let name = function.get("name")?.as_text()?.to_owned();
            let properties = function.get("parameters").and_then(|parameters| parameters.get("properties"));
            let texts = match properties {
                Some(Json::Object(properties)) => properties
                    .iter()
                    .filter(|(_, property)| property.get("type").and_then(Json::as_text) == Some("string"))
                    .map(|(name, _)| name.clone())
                    .collect(),
                _ => HashSet::new(),
            };
            Some((name, texts))
        });
        Self { texts: texts.collect() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// Whether the tool wants a text for this argument.
    pub(super) fn is_text(&self, tool: &str, argument: &str) -> bool {
        self.texts.get(tool).is_some_and(|texts| texts.contains(argument))
    }
}

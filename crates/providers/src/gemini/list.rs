//! The list of models: <https://ai.google.dev/api/models>.

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::models;
use crate::protocol::Listed;

pub(super) fn read(body: &[u8]) -> Result<Listed, CompletionError> {
    let answer = models::parse(body)?;
    // The last page may hold none, and then has no list at all.
    let entries = match answer.get("models") {
        Some(entries) => entries.as_array().map(Vec::as_slice),
        None => answer.as_object().filter(|object| object.is_empty()).map(|_| [].as_slice()),
    };
    let entries = entries.ok_or_else(|| models::no_list(body))?;
    let next = answer["nextPageToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(Listed { models: entries.iter().filter_map(model).collect(), next })
}

/// Only what can be talked with: the list has models for vectors and pictures too.
fn model(entry: &Value) -> Option<ProviderModel> {
    let methods = entry["supportedGenerationMethods"].as_array();
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == "generateContent")) {
        return None;
    }
    let name = entry["name"].as_str()?;
    let name = name.strip_prefix("models/").unwrap_or(name);
    let mut abilities = Vec::new();
    if entry["thinking"] == true {
        abilities.push(Ability::Reasoning);
    }
    // Google says it of its family, and not of each model.
    if name.starts_with("gemini-") {
        abilities.extend([Ability::Tools, Ability::Vision]);
    }
    models::model(name, entry["displayName"].as_str(), entry["inputTokenLimit"].as_u64(), abilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_talked_with_is_listed() {
        let body = br#"{"models":[{"name":"models/gemini-2.5-flash","displayName":"Gemini 2.5 Flash","inputTokenLimit":1048576,
            "supportedGenerationMethods":["generateContent","countTokens"],"thinking":true},
            {"name":"models/embedding-001","supportedGenerationMethods":["embedContent"]},
            {"name":"models/gemma-3-4b-it","supportedGenerationMethods":["generateContent"]}],"nextPageToken":"x"}"#;
        let listed = read(body).unwrap();
        let names: Vec<_> = listed.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!((names, listed.next.as_deref()), (vec!["gemini-2.5-flash", "gemma-3-4b-it"], Some("x")));
        assert_eq!(listed.models[0].abilities, [Ability::Reasoning, Ability::Tools, Ability::Vision]);
        assert_eq!(listed.models[0].context_window, Some(1_048_576));
        assert!(listed.models[1].abilities.is_empty());
        assert!(read(b"{}").unwrap().models.is_empty());
        assert!(read(br#"{"error":{"message":"no"}}"#).is_err());
    }
}

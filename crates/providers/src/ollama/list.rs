//! The models of an Ollama server.

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::models;

pub(super) fn read(body: &[u8]) -> Result<Vec<ProviderModel>, CompletionError> {
    let answer = models::parse(body)?;
    let entries = answer.get("models").and_then(Value::as_array).ok_or_else(|| models::no_list(body))?;
    Ok(entries.iter().filter_map(model).collect())
}

fn model(entry: &Value) -> Option<ProviderModel> {
    let name = entry["model"].as_str().or_else(|| entry["name"].as_str())?;
    let can =
        |word: &str| entry["capabilities"].as_array().is_some_and(|words| words.iter().any(|known| known == word));
    let abilities = [("thinking", Ability::Reasoning), ("tools", Ability::Tools), ("vision", Ability::Vision)];
    let abilities = abilities.into_iter().filter(|(word, _)| can(word)).map(|(_, ability)| ability).collect();
    models::model(name, None, None, abilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_read_with_what_they_can() {
        let body = br#"{"models":[{"name":"a:latest","model":"a:latest","size":1},
            {"name":"b:7b","model":"b:7b","capabilities":["completion","vision","tools"]},{"size":3}]}"#;
        let models = read(body).unwrap();
        assert_eq!(models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["a:latest", "b:7b"]);
        assert_eq!(models[1].abilities, [Ability::Tools, Ability::Vision]);
        assert!(read(b"{\"data\":[]}").is_err());
    }
}

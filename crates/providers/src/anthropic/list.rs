//! The list of models: <https://docs.anthropic.com/en/api/models-list>.

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::models;
use crate::protocol::Listed;

pub(super) fn read(body: &[u8]) -> Result<Listed, CompletionError> {
    let answer = models::parse(body)?;
    let entries = answer.get("data").and_then(Value::as_array).ok_or_else(|| models::no_list(body))?;
    let next = answer["last_id"].as_str().filter(|_| answer["has_more"] == true).map(str::to_owned);
    Ok(Listed { models: entries.iter().filter_map(model).collect(), next })
}

fn model(entry: &Value) -> Option<ProviderModel> {
    let supports = |path: &str| entry.pointer(path).and_then(Value::as_bool);
    // All of Anthropic's models call tools, and it says of none that it does.
    let mut abilities = vec![Ability::Tools];
    if supports("/capabilities/thinking/supported") == Some(true) {
        abilities.insert(0, Ability::Reasoning);
    }
    if supports("/capabilities/image_input/supported") == Some(true) {
        abilities.push(Ability::Vision);
    }
    models::model(
        entry.get("id")?.as_str()?,
        entry["display_name"].as_str(),
        entry["max_input_tokens"].as_u64(),
        abilities,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_where_the_next_begins() {
        let body = br#"{"data":[{"type":"model","id":"claude-x-1","display_name":"Claude X","created_at":"2026-01-01T00:00:00Z",
            "max_input_tokens":200000,"capabilities":{"image_input":{"supported":true},"thinking":{"supported":true}}},
            {"type":"model","id":"claude-y"}],"has_more":true,"first_id":"claude-x-1","last_id":"claude-y"}"#;
        let listed = read(body).unwrap();
        assert_eq!(listed.next.as_deref(), Some("claude-y"));
        assert_eq!(listed.models[0].abilities, [Ability::Reasoning, Ability::Tools, Ability::Vision]);
        assert_eq!(listed.models[0].context_window, Some(200_000));
        assert_eq!(listed.models[1].abilities, [Ability::Tools]);
        assert!(read(b"{}").is_err());
        assert_eq!(read(br#"{"data":[],"has_more":false}"#).unwrap().next, None);
    }
}

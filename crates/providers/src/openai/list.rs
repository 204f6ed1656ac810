//! The models that a provider says it has, in the shapes that the list comes in.

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::models;

/// Reads `{"data": […]}` (OpenAI), a bare list (Together), or `{"models": […]}` (others).
pub(super) fn read(body: &[u8]) -> Result<Vec<ProviderModel>, CompletionError> {
    let answer = models::parse(body)?;
    let entries = ["data", "models"].iter().find_map(|key| answer.get(key)?.as_array()).or_else(|| answer.as_array());
    Ok(entries.ok_or_else(|| models::no_list(body))?.iter().filter_map(model).collect())
}

fn model(entry: &Value) -> Option<ProviderModel> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let name = entry.as_str().or_else(|| text("id")).or_else(|| text("model")).or_else(|| text("name"))?;
    let context_window = [
        "/context_length",
        "/context_window",
        "/max_model_len",
        "/max_context_length",
        "/top_provider/context_length",
        "/meta/n_ctx_train",
    ]
    .iter()
    .find_map(|path| entry.pointer(path)?.as_u64());
    models::model(name, text("display_name").or_else(|| text("name")), context_window, abilities(entry))
}

/// What OpenRouter (`supported_parameters`, `architecture`), Mistral (`capabilities`) and others say of a model.
fn abilities(entry: &Value) -> Vec<Ability> {
    let lists = |path: &str, word: &str| {
        entry.pointer(path).and_then(Value::as_array).is_some_and(|list| list.iter().any(|value| value == word))
    };
    let says = |path: &str| entry.pointer(path).and_then(Value::as_bool) == Some(true);
    let mut abilities = Vec::new();
    if lists("/supported_parameters", "reasoning")
        || says("/capabilities/reasoning")
        || lists("/capabilities", "thinking")
    {
        abilities.push(Ability::Reasoning);
    }
    if lists("/supported_parameters", "tools")
        || says("/capabilities/function_calling")
        || lists("/capabilities", "tools")
    {
        abilities.push(Ability::Tools);
    }
    if lists("/architecture/input_modalities", "image")
        || says("/capabilities/vision")
        || lists("/capabilities", "vision")
    {
        abilities.push(Ability::Vision);
    }
    abilities
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<String> {
        models::sorted(read(body.as_bytes()).unwrap()).into_iter().map(|model| model.name).collect()
    }

    #[test]
    fn lists_of_every_shape_are_read() {
        assert_eq!(names(r#"{"object":"list","data":[{"id":"b"},{"id":"a"},{"id":"a"},{"id":""},{}]}"#), ["a", "b"]);
        assert_eq!(names(r#"[{"id":"meta/llama"}]"#), ["meta/llama"]);
        assert_eq!(names(r#"{"models":[{"name":"x","model":"x:latest"},"plain"]}"#), ["plain", "x:latest"]);
        assert_eq!(names(r#"{"data":[]}"#), Vec::<String>::new());
    }

    #[test]
    fn what_a_marketplace_tells_is_kept() {
        let body = r#"{"data":[{"id":"z/m","name":"Z: M","context_length":131072,
            "architecture":{"input_modalities":["text","image"]},"supported_parameters":["tools","reasoning"]}]}"#;
        let models = read(body.as_bytes()).unwrap();
        assert_eq!(models[0].display_name.as_deref(), Some("Z: M"));
        assert_eq!(models[0].context_window, Some(131_072));
        assert_eq!(models[0].abilities, [Ability::Reasoning, Ability::Tools, Ability::Vision]);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for body in ["", "<html><title>Login</title>", "{}", r#"{"data":"none"}"#, "3"] {
            assert!(matches!(read(body.as_bytes()), Err(CompletionError::Protocol { .. })), "{body}");
        }
    }
}

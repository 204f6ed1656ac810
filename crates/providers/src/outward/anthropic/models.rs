//! The list of models as Anthropic writes it: <https://docs.anthropic.com/en/api/models-list>.

use serde_json::{Value, json};

use crate::outward::ListedModel;

/// All on one page. `display_name` of each goes with it.
pub fn encode_anthropic_models<'a>(models: impl IntoIterator<Item = (ListedModel<'a>, &'a str)>) -> Vec<u8> {
    let models: Vec<Value> = models.into_iter().map(|(model, display_name)| encode(model, display_name)).collect();
    let id = |model: Option<&Value>| model.map(|model| model["id"].clone());
    let list = json!({
        "first_id": id(models.first()), "last_id": id(models.last()), "has_more": false, "data": models,
    });
    list.to_string().into_bytes()
}

fn encode(model: ListedModel<'_>, display_name: &str) -> Value {
    // The time of day is not known of any model, so none is told: each begins where time does.
    json!({"type": "model", "id": model.id, "display_name": display_name, "created_at": "1970-01-01T00:00:00Z"})
}

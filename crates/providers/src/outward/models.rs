//! The list of models on the wire.

use serde::Serialize;
use stoa_model::Timestamp;

/// One line of the model list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedModel<'a> {
    /// `slug/name`.
    pub id: &'a str,
    pub created: Timestamp,
    pub owned_by: &'a str,
}

/// The JSON of `GET /v1/models`.
pub fn encode_models<'a>(models: impl IntoIterator<Item = ListedModel<'a>>) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        id: &'a str,
        object: &'static str,
        created: i64,
        owned_by: &'a str,
    }
    let data = models
        .into_iter()
        .map(|model| Entry {
            id: model.id,
            object: "model",
            created: model.created.as_seconds(),
            owned_by: model.owned_by,
        })
        .collect();
    // Texts and numbers alone always serialise.
    serde_json::to_vec(&List { object: "list", data }).unwrap_or_default()
}

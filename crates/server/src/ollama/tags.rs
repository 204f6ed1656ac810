//! `GET /api/tags`: the models of this machine.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::Timestamp;
use stoa_model_store::StoredModel;
use stoa_model_store::gguf::Gguf;
use stoa_models::runtime::Profile;
use stoa_models::template::Capabilities;

use super::Ollama;
use super::caller::Caller;
use super::error::Refusal;

#[derive(Serialize)]
pub(super) struct Tags {
    models: Vec<Tag>,
}

#[derive(Serialize)]
struct Tag {
    name: String,
    model: String,
    modified_at: Timestamp,
    size: u64,
    digest: String,
    details: Details,
    capabilities: Vec<&'static str>,
}

/// What the file says of the model, in Ollama's words.
#[derive(Serialize)]
pub(super) struct Details {
    parent_model: &'static str,
    format: &'static str,
    family: String,
    families: Vec<String>,
    parameter_size: String,
    quantization_level: String,
    context_length: u32,
    embedding_length: u32,
}

pub(super) async fn list(State(state): State<Ollama>, _caller: Caller) -> Result<Json<Tags>, Refusal> {
    let mut models = state.models.runtime.stored().await?;
    models.sort_by_key(|(model, _)| std::cmp::Reverse(model.modified_at));
    Ok(Json(Tags { models: models.iter().map(|(model, profile)| tag(model, profile)).collect() }))
}

fn tag(model: &StoredModel, profile: &Profile) -> Tag {
    Tag {
        name: model.name.to_string(),
        model: model.name.to_string(),
        modified_at: moment(model.modified_at),
        size: model.total_bytes,
        digest: model.manifest_digest.hex().to_owned(),
        details: Details::of(&model.gguf),
        capabilities: capabilities(&model.gguf, profile),
    }
}

impl Details {
    pub(super) fn of(gguf: &Gguf) -> Self {
        Self {
            parent_model: "",
            format: "gguf",
            family: gguf.architecture.clone(),
            families: vec![gguf.architecture.clone()],
            parameter_size: gguf.size_label.clone().unwrap_or_else(|| round(gguf.parameters)),
            quantization_level: gguf.quantization.clone(),
            context_length: gguf.context_length,
            embedding_length: gguf.embedding_length,
        }
    }
}

/// What a client may ask of the model.
pub(super) fn capabilities(gguf: &Gguf, profile: &Profile) -> Vec<&'static str> {
    if gguf.embeds {
        return vec!["embedding"];
    }
    // A word of ours: Ollama has none for it.
    if gguf.ranks {
        return vec!["rerank"];
    }
    let Capabilities { tools, thinking, insert } = profile.capabilities;
    let some = [(profile.sees, "vision"), (tools, "tools"), (insert, "insert"), (thinking, "thinking")];
    let some = some.into_iter().filter_map(|(has, name)| has.then_some(name));
    ["completion", "embedding"].into_iter().chain(some).collect()
}

pub(super) fn moment(time: std::time::SystemTime) -> Timestamp {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A number of weights as people write it: `134.5M`.
fn round(parameters: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")];
    match UNITS.iter().find(|(unit, _)| parameters >= *unit) {
        Some((unit, letter)) => {
            let tenths = parameters.saturating_mul(10) / unit;
            format!("{}.{}{letter}", tenths / 10, tenths % 10)
        }
        None => parameters.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_counted_as_people_do() {
        for (parameters, text) in [(134_515_008, "134.5M"), (8_030_000_000, "8.0B"), (999, "999")] {
            assert_eq!(round(parameters), text);
        }
    }
}

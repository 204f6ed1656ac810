//! `GET /api/v1/local-models/suggestions`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model_store::Store;
use stoa_models::suggestions::{Fit, SUGGESTIONS};

use super::machine::facts;
use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SuggestionList {
    /// The smallest first.
    items: Vec<ModelSuggestion>,
}

/// A well-known model that works here. Sizes are in bytes, and about right.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelSuggestion {
    /// What it is pulled by.
    #[schema(examples("qwen3:4b"))]
    name: String,
    family: String,
    /// Weights as people say it.
    #[schema(examples("4B"))]
    parameters: String,
    /// To be downloaded.
    size_bytes: u64,
    /// Memory at work.
    memory_bytes: u64,
    license: String,
    fit: SuggestionFit,
    installed: bool,
}

/// Whether the machine has the memory for it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuggestionFit {
    Now,
    /// Once other programs or models have left memory.
    Crowded,
    TooLarge,
}

/// Lists well-known models, and whether each fits the memory of this machine.
#[utoipa::path(
    get, path = "/local-models/suggestions", tag = "local-models",
    responses(
        (status = 200, body = SuggestionList),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_model_suggestions(
    State(app): State<App>,
    Administrator(_): Administrator,
) -> Result<Json<SuggestionList>> {
    let machine = facts()?;
    let installed = app.local_models.on_store(Store::list).await??;
    let items = SUGGESTIONS.iter().map(|suggestion| ModelSuggestion {
        name: suggestion.name.to_owned(),
        family: suggestion.family.to_owned(),
        parameters: suggestion.parameters.to_owned(),
        size_bytes: suggestion.size_bytes,
        memory_bytes: suggestion.memory_bytes(),
        license: suggestion.license.to_owned(),
        fit: match suggestion.fit(&machine) {
            Fit::Now => SuggestionFit::Now,
            Fit::Crowded => SuggestionFit::Crowded,
            Fit::TooLarge => SuggestionFit::TooLarge,
        },
        installed: installed.iter().any(|model| model.name.to_string() == suggestion.name),
    });
    Ok(Json(SuggestionList { items: items.collect() }))
}

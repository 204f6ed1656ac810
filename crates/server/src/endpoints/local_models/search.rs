//! `GET /api/v1/local-models/search`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_model::Timestamp;
use stoa_model_store::search::MAX_QUERY_BYTES;
use stoa_model_store::{FoundModel, SearchError};

use crate::app::App;
use crate::extract::{Administrator, Query};
use crate::problem::{Problem, ProblemBody, Result, chain};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// What is looked for; 1 to 200 bytes.
    q: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FoundModelList {
    /// What people download most comes first.
    items: Vec<FoundRepository>,
}

/// A repository at Hugging Face with models that can be pulled.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FoundRepository {
    /// A model is pulled by this, a colon and one of the quantizations.
    #[schema(examples("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF"))]
    name: String,
    /// The smallest first; never empty.
    quantizations: Vec<String>,
    /// The one to take without a reason for another.
    recommended: String,
    downloads: u64,
    likes: u64,
    /// As the repository names it.
    #[schema(required)]
    license: Option<String>,
    /// Its owner lets only those in who have signed something there.
    gated: bool,
    #[schema(required)]
    modified_at: Option<Timestamp>,
}

impl From<FoundModel> for FoundRepository {
    fn from(found: FoundModel) -> Self {
        Self {
            name: found.name,
            quantizations: found.quantizations,
            recommended: found.recommended,
            downloads: found.downloads,
            likes: found.likes,
            license: found.license,
            gated: found.gated,
            modified_at: found.modified_at,
        }
    }
}

/// Searches models at Hugging Face.
#[utoipa::path(
    get, path = "/local-models/search", tag = "local-models", params(ModelQuery),
    responses(
        (status = 200, body = FoundModelList),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "search_off"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json", description = "search_unreachable, search_answer; `egress_refused` carries the `authority` to allow."),
    )
)]
pub(super) async fn search_models(
    State(app): State<App>,
    Administrator(_): Administrator,
    Query(query): Query<ModelQuery>,
) -> Result<Json<FoundModelList>> {
    let text = query.q.trim();
    if text.is_empty() || text.len() > MAX_QUERY_BYTES {
        return Err(Problem::field("q", format!("Use 1 to {MAX_QUERY_BYTES} bytes.")));
    }
    let Some(search) = &app.local_models.search else {
        let problem = Problem::conflict("search_off", "Searching models is switched off on this server.");
        return Err(problem.hint("Pull a model by its exact name, or set STOA_MODEL_SEARCH_URL and restart."));
    };
    let found = search.find(text).await?;
    Ok(Json(FoundModelList { items: found.into_iter().map(FoundRepository::from).collect() }))
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        let new = |code, hint: &str| Self::new(StatusCode::BAD_GATEWAY, code, format!("{}.", chain(&error))).hint(hint);
        if let Some(authority) = error.refused_authority() {
            return new("egress_refused", "Allow this address if it is meant.").authority(authority);
        }
        match &error {
            SearchError::Egress { .. } => new(
                "search_unreachable",
                "Without a way to the internet, import files with `stoa model import`; behind a proxy, set HTTPS_PROXY; a mirror is set by STOA_MODEL_SEARCH_URL.",
            ),
            SearchError::Answer { .. } | SearchError::Unreadable { .. } => {
                new("search_answer", "Try again in a moment, or pull a model by its exact name.")
            }
        }
    }
}

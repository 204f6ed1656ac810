//! `POST /api/v1/local-models/pulls`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model_store::ModelName;

use super::ModelPull;
use crate::app::App;
use crate::extract::{Administrator, Json};
use crate::problem::{Problem, ProblemBody, Result};

const BODY_BYTES: usize = 4 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartModelPull {
    /// `[host/][namespace/]model[:tag]`; without a host, in Ollama's library.
    #[schema(examples("qwen3:4b", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"))]
    name: String,
}

/// Begins to pull a model. One that is being pulled already is answered with the pull that runs.
#[utoipa::path(
    post, path = "/local-models/pulls", tag = "local-models", request_body = StartModelPull,
    responses(
        (status = 202, body = ModelPull),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "too_many_pulls"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn start_model_pull(
    State(app): State<App>,
    Administrator(_): Administrator,
    Json(new): Json<StartModelPull, BODY_BYTES>,
) -> Result<(StatusCode, Answer<ModelPull>)> {
    let name: ModelName = new
        .name
        .trim()
        .parse()
        .map_err(|_| Problem::field("name", "Enter a name such as qwen3:4b or hf.co/user/repository:Q4_K_M."))?;
    let pull = app.local_models.pulls.start(&name)?;
    Ok((StatusCode::ACCEPTED, Answer(pull.into())))
}

//! `POST /api/v1/functions/{id}/versions`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_functions_service::version_digest;
use stoa_model::FunctionId;
use stoa_model::function::{FunctionVersion, note};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishFunction {
    /// What is new in it; at most 1,000 characters.
    #[serde(default)]
    note: String,
}

/// Makes a version of what the function is now. The first one goes live; later ones do when an alias is given to them.
#[utoipa::path(
    post, path = "/functions/{id}/versions", tag = "functions", params(("id" = FunctionId, Path)),
    request_body = PublishFunction,
    responses(
        (status = 201, body = FunctionVersion),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "nothing_changed"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn publish_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Json(asked): Json<PublishFunction>,
) -> Result<(StatusCode, Answer<FunctionVersion>)> {
    let note = note(&asked.note)?;
    let function = app.database.function(&principal, id).await?;
    let code = app.database.function_code(&principal, id).await?;
    let digest = version_digest(&code.digest, &function.settings);
    // Between the two looks, nothing has changed if this holds.
    let version = app.database.publish_function(&principal, id, function.revision, digest, note, app.now()).await?;
    app.functions.install(id, &version);
    Ok((StatusCode::CREATED, Answer(version)))
}

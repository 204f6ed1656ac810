//! `/api/v1/functions/{id}/secrets/{name}`: they are in the environment of instances, and nobody reads them again.

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use stoa_model::FunctionId;
use stoa_model::function::{MAX_SECRET_BYTES, variable};
use stoa_storage::Secret;

use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutSecret {
    /// 1 byte to 32 KiB, without NUL.
    value: String,
}

/// Keeps a secret, in the place of the one that was there. Instances with the old one finish what they have.
#[utoipa::path(
    put, path = "/functions/{id}/secrets/{name}", tag = "functions",
    params(("id" = FunctionId, Path), ("name" = String, Path)), request_body = PutSecret,
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_secret(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((id, name)): Path<(String, String)>,
    Json(PutSecret { value }): Json<PutSecret>,
) -> Result<StatusCode> {
    let id: FunctionId = id.parse().map_err(|_| Problem::not_found())?;
    let name = variable("name", &name)?;
    if value.is_empty() || value.len() > MAX_SECRET_BYTES || value.contains('\0') {
        return Err(Problem::field("value", format!("Use 1 to {MAX_SECRET_BYTES} bytes, without NUL.")));
    }
    app.database.put_function_secret(&principal, id, &name, &Secret::new(value)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a secret.
#[utoipa::path(
    delete, path = "/functions/{id}/secrets/{name}", tag = "functions",
    params(("id" = FunctionId, Path), ("name" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_secret(
    State(app): State<App>,
    Caller(principal): Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode> {
    let id: FunctionId = id.parse().map_err(|_| Problem::not_found())?;
    app.database.delete_function_secret(&principal, id, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

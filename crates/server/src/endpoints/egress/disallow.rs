//! `DELETE /api/v1/egress/allowances/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::AllowanceId;

use super::in_force;
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Forbids the address again. No connection to it is used from now on.
#[utoipa::path(
    delete, path = "/egress/allowances/{id}", tag = "egress", params(("id" = AllowanceId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_allowance(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<AllowanceId>,
) -> Result<StatusCode> {
    app.database.delete_allowance(&principal, id).await?;
    in_force(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

//! `DELETE /api/v1/shares/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::ShareId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Ends a link. It opens nothing from now on; what was taken for it is removed.
#[utoipa::path(
    delete, path = "/shares/{id}", tag = "sharing", params(("id" = ShareId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_share(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ShareId>,
) -> Result<StatusCode> {
    app.database.delete_share(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

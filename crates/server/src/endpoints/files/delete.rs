//! `DELETE /api/v1/files/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::FileId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Removes a file that no message shows. One that a message shows goes with its conversation.
#[utoipa::path(
    delete, path = "/files/{id}", tag = "files", params(("id" = FileId, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_file(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FileId>,
) -> Result<StatusCode> {
    app.database.delete_file(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

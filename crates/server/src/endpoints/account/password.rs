//! `PUT /api/v1/me/password`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::PasswordChange;

use crate::app::App;
use crate::extract::{InPerson, Json};
use crate::problem::{ProblemBody, Result};
use crate::visitor::Visitor;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    current_password: String,
    /// At least 10 characters, at most 1,024 bytes.
    new_password: String,
}

/// Sets a new password. Every other session of the caller ends.
#[utoipa::path(
    put, path = "/me/password", tag = "account", request_body = ChangePassword,
    responses(
        (status = 204),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_password(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Visitor(device): Visitor,
    Json(change): Json<ChangePassword>,
) -> Result<StatusCode> {
    let change = PasswordChange { current: change.current_password, new: change.new_password };
    app.door.change_password(&principal, change, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

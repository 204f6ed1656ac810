//! `PATCH /api/v1/users/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_identity::AccountChange;
use stoa_model::UserId;
use stoa_model::person::{Role, User};

use crate::app::App;
use crate::extract::{Administrator, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUser {
    /// 1 to 100 characters.
    name: Option<String>,
    role: Option<Role>,
    /// Whoever is disabled is signed out everywhere and cannot sign in.
    disabled: Option<bool>,
    /// A new one signs the person out everywhere. One's own is changed at `/me/password`.
    password: Option<String>,
}

/// Changes what is given of somebody's account and leaves the rest. Only for whoever is signed in, not for API keys.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "users", params(("id" = UserId, Path)), request_body = UpdateUser,
    responses(
        (status = 200, body = User),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "last_owner"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_user(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<UserId>,
    Json(change): Json<UpdateUser>,
) -> Result<Answer<User>> {
    let change =
        AccountChange { name: change.name, role: change.role, disabled: change.disabled, password: change.password };
    Ok(Answer(app.door.change_account(&principal, id, change).await?))
}

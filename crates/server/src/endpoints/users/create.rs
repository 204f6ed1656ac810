//! `POST /api/v1/users`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::NewAccount;
use stoa_model::person::{Role, User};

use crate::app::App;
use crate::extract::{Administrator, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateUser {
    /// 1 to 100 characters.
    name: String,
    email: String,
    /// The initial one: at least 10 characters, at most 1,024 bytes.
    password: String,
    /// Owners give any role, admins only `member`.
    role: Role,
}

/// Gives somebody an account. Only for whoever is signed in, not for API keys.
#[utoipa::path(
    post, path = "/users", tag = "users", request_body = CreateUser,
    responses(
        (status = 201, body = User),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "email_taken"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_user(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Json(new): Json<CreateUser>,
) -> Result<(StatusCode, Answer<User>)> {
    let new = NewAccount { name: new.name, email: new.email, password: new.password, role: new.role };
    Ok((StatusCode::CREATED, Answer(app.door.create_account(&principal, new).await?)))
}

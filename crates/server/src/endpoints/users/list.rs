//! `GET /api/v1/users`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::person::User;

use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UserList {
    items: Vec<User>,
}

/// Lists everybody with an account, the oldest first.
#[utoipa::path(
    get, path = "/users", tag = "users",
    responses((status = 200, body = UserList), (status = 403, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_users(
    State(app): State<App>,
    Administrator(principal): Administrator,
) -> Result<Json<UserList>> {
    Ok(Json(UserList { items: app.database.users(&principal).await? }))
}

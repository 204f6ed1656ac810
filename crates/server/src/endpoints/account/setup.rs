//! `GET` and `POST /api/v1/setup`

use axum::Json as Answer;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::{NewOwner, SetupState};

use super::{Me, Welcome};
use crate::app::App;
use crate::extract::Json;
use crate::problem::{ProblemBody, Result};
use crate::visitor::Visitor;

/// The first owner.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupRequest {
    /// 1 to 100 characters.
    name: String,
    email: String,
    /// At least 10 characters, at most 1,024 bytes.
    password: String,
    /// What the server wrote to its log when it started, where `token_required`: for everybody who does not sit at the
    /// machine itself.
    token: Option<String>,
}

/// Says whether anybody has an account yet.
#[utoipa::path(
    get, path = "/setup", tag = "account", security(()),
    responses((status = 200, body = SetupState), (status = 503, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn get_setup(State(app): State<App>, Visitor(device): Visitor) -> Result<Answer<SetupState>> {
    Ok(Answer(app.door.setup_state(&device).await?))
}

/// Makes the owner and signs them in. Once.
#[utoipa::path(
    post, path = "/setup", tag = "account", security(()), request_body = SetupRequest,
    responses(
        (status = 201, body = Me),
        (status = 403, body = ProblemBody, content_type = "application/problem+json", description = "wrong_setup_token"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "already_set_up"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_up(
    State(app): State<App>,
    Visitor(device): Visitor,
    Json(new): Json<SetupRequest>,
) -> Result<impl IntoResponse> {
    let owner = NewOwner { name: new.name, email: new.email, password: new.password, token: new.token };
    let signed_in = app.door.set_up(owner, device).await?;
    Ok((StatusCode::CREATED, Welcome { app, signed_in }))
}

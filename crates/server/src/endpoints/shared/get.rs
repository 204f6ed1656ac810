//! `GET /api/v1/shared/{token}`

use axum::Json;
use axum::extract::State;
use stoa_model::share::Shared;

use crate::app::App;
use crate::extract::Visitor;
use crate::problem::{ProblemBody, Result};

/// What a link opens: what it is called, whose it is, and of when.
#[utoipa::path(
    get, path = "/shared/{token}", tag = "sharing", params(("token" = String, Path)),
    responses(
        (status = 200, body = Shared),
        (status = 401, description = "It opens for those who are signed in.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "Also for a link that was ended or is past its time.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_shared(State(app): State<App>, visitor: Visitor) -> Result<Json<Shared>> {
    Ok(Json(app.database.shared(&visitor.visitor).await?))
}

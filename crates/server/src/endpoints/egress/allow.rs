//! `POST /api/v1/egress/allowances`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_egress::Authority;

use super::{Allowance, in_force};
use crate::app::App;
use crate::extract::{Administrator, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// The longest host name and a port.
const AUTHORITY_BYTES: usize = 300;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAllowance {
    /// The exact `host:port`, as the refusal named it.
    #[schema(examples("192.168.1.20:11434"))]
    authority: String,
}

/// Allows the server to reach one private `host:port`. Allowing it again changes nothing.
#[utoipa::path(
    post, path = "/egress/allowances", tag = "egress", request_body = CreateAllowance,
    responses(
        (status = 201, body = Allowance),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_allowance(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Json(new): Json<CreateAllowance>,
) -> Result<(StatusCode, Answer<Allowance>)> {
    if new.authority.len() > AUTHORITY_BYTES {
        return Err(Problem::field("authority", format!("Use at most {AUTHORITY_BYTES} bytes.")));
    }
    let authority: Authority = new
        .authority
        .parse()
        .map_err(|_| Problem::field("authority", "Enter a host and a port such as 192.168.1.20:11434."))?;
    let allowance = app.database.create_allowance(&principal, authority.as_str(), app.now()).await?;
    in_force(&app).await;
    Ok((StatusCode::CREATED, Answer(allowance.into())))
}

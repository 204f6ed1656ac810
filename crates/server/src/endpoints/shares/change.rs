//! `PATCH /api/v1/shares/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::share::{Audience, Share};
use stoa_model::{ShareId, Timestamp};
use stoa_storage::ShareChange as Change;

use crate::app::App;
use crate::extract::{Caller, Id, Json, given};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareChange {
    audience: Option<Audience>,
    /// `null` for never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Timestamp>)]
    #[expect(clippy::option_option, reason = "absent, null and a time are three things")]
    expires_at: Option<Option<Timestamp>>,
    /// Takes the picture again, of the branch that the conversation shows now.
    #[serde(default)]
    retake: bool,
}

/// Changes what is given and leaves the rest. The link itself stays the same.
#[utoipa::path(
    patch, path = "/shares/{id}", tag = "sharing", params(("id" = ShareId, Path)), request_body = ShareChange,
    responses(
        (status = 200, body = Share),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_share(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ShareId>,
    Json(change): Json<ShareChange>,
) -> Result<Answer<Share>> {
    app.door.check_link_end(change.expires_at.flatten())?;
    let change = Change { audience: change.audience, expires_at: change.expires_at, retake: change.retake };
    Ok(Answer(app.database.change_share(&principal, id, change, app.now()).await?))
}

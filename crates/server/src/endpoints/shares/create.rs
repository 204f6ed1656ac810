//! `POST /api/v1/conversations/{id}/shares`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_identity::NewLink;
use stoa_model::share::{Audience, Share};
use stoa_model::{ConversationId, MessageId, Timestamp};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewShare {
    audience: Audience,
    /// Never, when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// Any message: the branch to the newest end below it. The branch that the conversation shows when absent.
    #[serde(default)]
    leaf_id: Option<MessageId>,
}

/// A new link. `token` and `path` are in no other answer ever again.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedShare {
    #[serde(flatten)]
    share: Share,
    /// What opens it.
    token: String,
    /// Where the page is, from the root of this server.
    path: String,
}

/// Takes a picture of one branch as it is now, and makes a link to it. What is said later is not in it, nor is what the model
/// was told to be.
#[utoipa::path(
    post, path = "/conversations/{id}/shares", tag = "sharing", params(("id" = ConversationId, Path)),
    request_body = NewShare,
    responses(
        (status = 201, body = CreatedShare),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`nothing_to_share`, or `public_links_off`.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_share(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(conversation): Id<ConversationId>,
    Json(new): Json<NewShare>,
) -> Result<(StatusCode, Answer<CreatedShare>)> {
    let link = NewLink { conversation, leaf: new.leaf_id, audience: new.audience, expires_at: new.expires_at };
    let (share, token) = app.door.create_link(&principal, link).await?;
    let token = token.to_text();
    let path = format!("/share/{token}");
    Ok((StatusCode::CREATED, Answer(CreatedShare { share, token, path })))
}

//! `GET` and `POST /api/v1/assistants/{id}/shares`, `DELETE /api/v1/assistant-shares/{id}`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_model::assistant::AssistantShare;
use stoa_model::person::Role;
use stoa_model::{AssistantId, AssistantShareId};
use stoa_storage::NewReach;

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Longer ones lead nowhere (RFC 5321).
const ADDRESS_BYTES: usize = 320;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AssistantShareList {
    items: Vec<AssistantShare>,
}

/// Who may use an assistant from now on.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NewAssistantShare {
    /// Whoever has an account here.
    Everyone,
    /// Those who have this very role.
    Role { role: Role },
    /// Whoever has this very e-mail address.
    Person { email: String },
}

/// Whom an assistant of the caller's is shared with.
#[utoipa::path(
    get, path = "/assistants/{id}/shares", tag = "assistants", params(("id" = AssistantId, Path)),
    responses(
        (status = 200, body = AssistantShareList),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_assistant_shares(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<Answer<AssistantShareList>> {
    Ok(Answer(AssistantShareList { items: app.database.assistant_shares(&principal, id).await? }))
}

/// Lets others use an assistant of the caller's: they talk to it and see who it is, and neither see what it is built on nor
/// change, copy, export or share it. What is shared already stays as it is.
#[utoipa::path(
    post, path = "/assistants/{id}/shares", tag = "assistants", params(("id" = AssistantId, Path)),
    request_body = NewAssistantShare,
    responses(
        (status = 201, body = AssistantShare),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`no_such_person`: nobody here has this address.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn share_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
    Json(new): Json<NewAssistantShare>,
) -> Result<(StatusCode, Answer<AssistantShare>)> {
    let reach = match new {
        NewAssistantShare::Everyone => NewReach::Everyone,
        NewAssistantShare::Role { role } => NewReach::Role(role),
        NewAssistantShare::Person { email } => {
            if email.trim().is_empty() || email.len() > ADDRESS_BYTES {
                return Err(Problem::field("email", format!("between 1 and {ADDRESS_BYTES} bytes")));
            }
            NewReach::Address(email)
        }
    };
    let share = app.database.share_assistant(&principal, id, reach, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(share)))
}

/// Takes a share back: with their next turn, those it reached can no longer use the assistant. What was said stays theirs.
#[utoipa::path(
    delete, path = "/assistant-shares/{id}", tag = "assistants", params(("id" = AssistantShareId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn unshare_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantShareId>,
) -> Result<StatusCode> {
    app.database.unshare_assistant(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

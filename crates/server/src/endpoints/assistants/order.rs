//! `PUT /api/v1/assistants/order`

use std::collections::HashSet;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::AssistantId;
use stoa_storage::MAX_ASSISTANTS;

use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantOrder {
    /// Each at most once. Those that are not named come after these, in the order that they have.
    ids: Vec<AssistantId>,
}

/// Puts the caller's assistants in order. Pinned ones still come first.
#[utoipa::path(
    put, path = "/assistants/order", tag = "assistants", request_body = AssistantOrder,
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn order_assistants(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(AssistantOrder { ids }): Json<AssistantOrder>,
) -> Result<StatusCode> {
    let different: HashSet<_> = ids.iter().collect();
    if different.len() != ids.len() || ids.len() as u64 > MAX_ASSISTANTS {
        return Err(Problem::field("ids", format!("at most {MAX_ASSISTANTS}, each once")));
    }
    app.database.order_assistants(&principal, &ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `POST /api/v1/messages/{id}/regenerate`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_model::completion::Parameters;
use stoa_storage::NewTurn;

use super::{Turn, clean_model};
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Regenerate {
    /// Another model than the answer's own.
    model: Option<String>,
    /// Other parameters than the answer's own.
    parameters: Option<Parameters>,
}

/// Begins another answer beside this one.
#[utoipa::path(
    post, path = "/messages/{id}/regenerate", tag = "messages", params(("id" = MessageId, Path)),
    request_body = Regenerate,
    responses(
        (status = 202, body = Turn),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn regenerate_message(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(answer): Id<MessageId>,
    Json(wish): Json<Regenerate>,
) -> Result<(StatusCode, Answer<Turn>)> {
    if let Some(parameters) = &wish.parameters {
        parameters.check().map_err(|error| Problem::field(error.name, error.to_string()))?;
    }
    let model = wish.model.map(clean_model).transpose()?;
    let turn = NewTurn::Regenerate { answer, model, parameters: wish.parameters };
    let turn = app.chat.begin(&principal, turn).await?;
    Ok((StatusCode::ACCEPTED, Answer(Turn::begun(turn)?)))
}

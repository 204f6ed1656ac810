//! `POST /api/v1/function-volumes`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::function::label;
use stoa_model::volume::{self, DEFAULT_SIZE_MIB};
use stoa_storage::NewVolume;

use super::{VolumeView, view};
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateVolume {
    /// 1 to 40 of a-z, 0-9 and -, beginning with a letter. Never changes.
    name: String,
    /// At most 1,000 characters.
    #[serde(default)]
    description: String,
    /// 64 to 1,048,576; 1,024 when absent.
    size_mib: Option<u32>,
}

/// Makes a volume, which is empty.
#[utoipa::path(
    post, path = "/function-volumes", tag = "functions", request_body = CreateVolume,
    responses(
        (status = 201, body = VolumeView),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "name_taken, volumes_too_large"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_volume(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(new): Json<CreateVolume>,
) -> Result<(StatusCode, Answer<VolumeView>)> {
    if !app.functions.may_make(&principal) {
        return Err(Problem::forbidden().hint("Administrators make functions on this server."));
    }
    let new = NewVolume {
        name: label("name", &new.name)?,
        description: volume::description(&new.description)?,
        size_mib: volume::size(new.size_mib.unwrap_or(DEFAULT_SIZE_MIB))?,
    };
    let made = app.functions.create_volume(&principal, new).await?;
    Ok((StatusCode::CREATED, Answer(view(&app, made).await)))
}

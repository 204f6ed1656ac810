//! `GET /api/v1/assistants/export`

use axum::Json;
use axum::extract::State;
use http::header::CONTENT_DISPOSITION;
use serde::Deserialize;
use stoa_model::AssistantId;

use super::filed::{AssistantFile, FiledAssistant};
use super::{FORMAT, VERSION};
use crate::app::App;
use crate::extract::{Caller, Query};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// The one to export; all when absent.
    id: Option<AssistantId>,
}

/// Assistants as a file that can be imported elsewhere.
#[utoipa::path(
    get, path = "/assistants/export", tag = "assistants", params(ExportQuery),
    responses((status = 200, body = AssistantFile), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn export_assistants(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<ExportQuery>,
) -> Result<([(http::HeaderName, &'static str); 1], Json<AssistantFile>)> {
    let assistants = match query.id {
        Some(id) => vec![app.database.assistant(&principal, id).await?],
        None => app.database.assistants(&principal).await?,
    };
    let mut filed = Vec::with_capacity(assistants.len());
    for assistant in assistants {
        let picture = app.files.face(&app, &principal, &assistant).await?;
        filed.push(FiledAssistant::new(assistant.profile, picture.as_deref()));
    }
    let file = AssistantFile { format: FORMAT.to_owned(), version: VERSION, assistants: filed };
    Ok(([(CONTENT_DISPOSITION, "attachment; filename=\"assistants.json\"")], Json(file)))
}

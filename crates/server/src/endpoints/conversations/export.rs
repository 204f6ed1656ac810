//! `GET /api/v1/conversations/{id}/export`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use stoa_model::{ConversationId, MessageId};

use crate::app::App;
use crate::exporting::{Archive, Markdown, download};
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};
use crate::{disposition, endpoints};

/// Characters of a title that become the name of a file.
const NAME: usize = 80;

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportFormat {
    /// The branch that is shown, to be read.
    Markdown,
    /// All branches, in the form of Stoa's archive: it can be imported.
    Json,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    #[param(inline)]
    format: ExportFormat,
    /// For Markdown, any message: the path to the newest end below it. The conversation's own leaf when absent.
    leaf: Option<MessageId>,
}

/// One conversation as a file.
#[utoipa::path(
    get, path = "/conversations/{id}/export", tag = "conversations", params(("id" = ConversationId, Path), ExportQuery),
    responses(
        (status = 200, content((String = "text/markdown"), (String = "application/json"))),
        (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
    Query(query): Query<ExportQuery>,
) -> Result<Response> {
    let conversation = app.database.conversation(&principal, id).await?;
    let name = endpoints::account::name_of(&app, &principal).await?;
    let stem: String =
        conversation.title.chars().take(NAME).map(|c| if matches!(c, '/' | '\\') { '-' } else { c }).collect();
    let stem = if stem.is_empty() { "conversation".to_owned() } else { stem };
    Ok(match query.format {
        ExportFormat::Markdown => {
            let end = app.database.branch_end(&principal, id, query.leaf).await?;
            let body = Markdown { app, principal, name, conversation, end }.into_body();
            download(body, "text/markdown; charset=utf-8", disposition::attachment(&stem, "md"))
        }
        ExportFormat::Json => {
            let body = Archive::of_one(app, principal, name, conversation).into_body();
            download(body, "application/json", disposition::attachment(&stem, "json"))
        }
    })
}

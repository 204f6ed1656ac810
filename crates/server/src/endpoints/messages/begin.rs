//! `POST /api/v1/conversations/{id}/messages`

use std::collections::{HashMap, HashSet};

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_chat::{Engine, MAX_PICTURES_BYTES};
use stoa_model::completion::Parameters;
use stoa_model::conversation::Part;
use stoa_model::file::File;
use stoa_model::{AssistantId, ConversationId, FileId, MessageId, Principal};
use stoa_storage::{NewTurn, StorageError, TurnParent};

use super::{Turn, clean_model};
use crate::app::App;
use crate::extract::{Caller, Id, Json, given};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of the text of one message. A book has about one MiB.
pub(crate) const TEXT_BYTES: usize = 2 * 1024 * 1024;
/// JSON may write a byte as six.
const BODY_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const PARTS: usize = 16;
/// Pictures of one message.
pub(crate) const IMAGES: usize = 8;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// The message to answer. Absent: the conversation's leaf. `null`: begin anew, as a sibling of the first message.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<MessageId>)]
    #[expect(clippy::option_option, reason = "absent, null and an id are three things")]
    parent_id: Option<Option<MessageId>>,
    parts: Vec<NewPart>,
    /// `slug/name`.
    model: String,
    #[serde(default)]
    parameters: Option<Parameters>,
    /// Who answers this once, by their role, template and length of history, in the place of the conversation's assistant.
    #[serde(default)]
    assistant_id: Option<AssistantId>,
}

/// A piece of a user's message.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NewPart {
    Text {
        text: String,
    },
    /// A picture of the caller's, as `POST /files` answered it.
    Image {
        file_id: FileId,
    },
}

/// Says something and begins the answer. When this answers, both are kept, and the answer is written to its end
/// whoever watches.
#[utoipa::path(
    post, path = "/conversations/{id}/messages", tag = "messages", params(("id" = ConversationId, Path)),
    request_body = NewMessage,
    responses(
        (status = 202, body = Turn),
        (status = 404, description = "Also `assistant_not_found`.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Also `assistant_gone`: the assistant is somebody else's, who no longer shares it; and \
            `assistant_not_here`: it is somebody else's, and the model is of a provider that only the caller's browser calls.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Also `model_cannot_see`: the model is known to take no pictures.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn begin_turn(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(conversation): Id<ConversationId>,
    Json(new): Json<NewMessage, BODY_BYTES>,
) -> Result<(StatusCode, Answer<Turn>)> {
    if new.parts.is_empty() || new.parts.len() > PARTS {
        return Err(Problem::field("parts", format!("between 1 and {PARTS} parts")));
    }
    if let Some(assistant) = new.assistant_id {
        app.database.assistant(&principal, assistant).await.map_err(|error| match error {
            StorageError::NotFound => {
                let detail = "The assistant that was asked for is not among yours.";
                Problem::new(StatusCode::NOT_FOUND, "assistant_not_found", detail).hint("Ask another, or none.")
            }
            error => error.into(),
        })?;
    }
    let parts = read_parts(&app, &principal, new.parts).await?;
    let bytes: usize = parts.iter().map(|part| part.text().len()).sum();
    if bytes > TEXT_BYTES {
        let detail = format!("The message has {bytes} bytes; at most {TEXT_BYTES} are taken.");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).hint("Send it in pieces."));
    }
    if parts.iter().all(|part| part.file_id().is_none() && part.text().trim().is_empty()) {
        return Err(Problem::field("parts", "a message needs some text or a picture"));
    }
    let parameters = new.parameters.unwrap_or_default();
    parameters.check().map_err(|error| Problem::field(error.name, error.to_string()))?;
    let turn = NewTurn::Message {
        conversation,
        parent: match new.parent_id {
            None => TurnParent::Leaf,
            Some(None) => TurnParent::Root,
            Some(Some(parent)) => TurnParent::After(parent),
        },
        title: Engine::first_title(&parts),
        parts,
        model: clean_model(new.model)?,
        parameters,
        assistant: new.assistant_id,
    };
    let turn = app.chat.begin(&principal, turn).await?;
    Ok((StatusCode::ACCEPTED, Answer(Turn::begun(turn)?)))
}

/// Looks up the pictures. One that is gone, or is somebody else's, is not found.
async fn read_parts(app: &App, principal: &Principal, new: Vec<NewPart>) -> Result<Vec<Part>> {
    let ids: HashSet<FileId> = new.iter().filter_map(NewPart::file_id).collect();
    if new.iter().filter_map(NewPart::file_id).count() > IMAGES {
        return Err(Problem::field("parts", format!("at most {IMAGES} pictures")));
    }
    let ids: Vec<FileId> = ids.into_iter().collect();
    let files = app.database.files(principal, &ids).await?;
    let files: HashMap<FileId, File> = files.into_iter().map(|stored| (stored.file.id, stored.file)).collect();
    let bytes = files.values().fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
    if usize::try_from(bytes).unwrap_or(usize::MAX) > MAX_PICTURES_BYTES {
        let detail = format!("The pictures have {bytes} bytes together; at most {MAX_PICTURES_BYTES} are taken.");
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        return Err(problem.hint("Send them in two messages."));
    }
    new.into_iter()
        .map(|part| match part {
            NewPart::Text { text } => Ok(Part::Text { text }),
            NewPart::Image { file_id } => files.get(&file_id).map(Part::image).ok_or_else(Problem::not_found),
        })
        .collect()
}

impl NewPart {
    const fn file_id(&self) -> Option<FileId> {
        match self {
            Self::Text { .. } => None,
            Self::Image { file_id } => Some(*file_id),
        }
    }
}

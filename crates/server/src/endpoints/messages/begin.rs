//! `POST /api/v1/conversations/{id}/messages`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_chat::Engine;
use stoa_model::completion::Parameters;
use stoa_model::conversation::Part;
use stoa_model::{ConversationId, MessageId};
use stoa_storage::{NewTurn, TurnParent};

use super::{Turn, clean_model};
use crate::app::App;
use crate::extract::{Caller, Id, Json, given};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of the text of one message. A book has about one MiB.
const TEXT_BYTES: usize = 2 * 1024 * 1024;
/// JSON may write a byte as six.
const BODY_BYTES: usize = 4 * 1024 * 1024;
const PARTS: usize = 16;

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
}

/// A piece of a user's message.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NewPart {
    Text { text: String },
}

/// Says something and begins the answer. When this answers, both are kept, and the answer is written to its end
/// whoever watches.
#[utoipa::path(
    post, path = "/conversations/{id}/messages", tag = "messages", params(("id" = ConversationId, Path)),
    request_body = NewMessage,
    responses(
        (status = 202, body = Turn),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
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
    let parts: Vec<Part> = new.parts.into_iter().map(|NewPart::Text { text }| Part::Text { text }).collect();
    let bytes: usize = parts.iter().map(|part| part.text().len()).sum();
    if bytes > TEXT_BYTES {
        let detail = format!("The message has {bytes} bytes; at most {TEXT_BYTES} are taken.");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).hint("Send it in pieces."));
    }
    if parts.iter().all(|part| part.text().trim().is_empty()) {
        return Err(Problem::field("parts", "a message needs some text"));
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
    };
    let turn = app.chat.begin(&principal, turn).await?;
    Ok((StatusCode::ACCEPTED, Answer(turn.into())))
}

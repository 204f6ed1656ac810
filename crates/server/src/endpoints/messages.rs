//! Messages and the turns that write them.

mod begin;
mod list;
mod proceed;
mod regenerate;
mod remove;
mod restore;
mod translate;

use serde::Serialize;
use stoa_model::{GenerationId, MessageId};
use stoa_storage::TurnIds;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;

const MODEL_BYTES: usize = 300;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_messages, begin::begin_turn))
        .routes(routes!(regenerate::regenerate_message))
        .routes(routes!(proceed::continue_message))
        .routes(routes!(remove::remove_message))
        .routes(routes!(restore::restore_message))
        .routes(routes!(translate::translate_message, translate::forget_translation))
}

/// A turn that has begun and is kept.
#[expect(clippy::struct_field_names, reason = "the names of the API")]
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Turn {
    /// The user's message.
    message_id: MessageId,
    /// The answer that is being written.
    reply_id: MessageId,
    generation_id: GenerationId,
}

impl From<TurnIds> for Turn {
    fn from(turn: TurnIds) -> Self {
        Self { message_id: turn.message, reply_id: turn.reply, generation_id: turn.generation }
    }
}

/// A model id of the right shape. Whether the model exists is found out when it is called.
pub(super) fn clean_model(model: String) -> Result<String, Problem> {
    let shaped = model.len() <= MODEL_BYTES
        && stoa_model::provider::split_model_id(&model).is_some()
        && !model.chars().any(|c| c.is_control() || c.is_whitespace());
    if shaped { Ok(model) } else { Err(Problem::field("model", "must be `slug/name`, such as `local/smollm2:135m`")) }
}

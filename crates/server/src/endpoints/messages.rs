//! Messages and the turns that write them.

mod begin;
mod list;
mod proceed;
mod regenerate;
mod remove;
mod restore;
mod summary;
mod translate;

pub(crate) use begin::{IMAGES, PARTS, TEXT_BYTES};

use serde::Serialize;
use stoa_chat::{Begun, BrowserCall};
use stoa_model::completion::CompletionError;
use stoa_model::{GenerationId, MessageId};
use stoa_providers::{openai_body, openai_endpoints};
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
        .routes(routes!(summary::sum_up, summary::forget_summary))
        .routes(routes!(translate::translate_message, translate::forget_translation))
}

/// A turn that has begun and is kept.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Turn {
    /// The user's message.
    message_id: MessageId,
    /// The answer that is being written.
    reply_id: MessageId,
    generation_id: GenerationId,
    /// The caller's browser has to call a provider of its own and to upload what it says, for the answer is its to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<ProviderCall>,
}

/// A `POST` with a JSON body, answered in the form of OpenAI's streamed chat completions.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProviderCall {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    /// JSON, to be sent as it is.
    body: String,
}

impl Turn {
    fn begun(begun: Begun) -> Result<Self, Problem> {
        let Begun { turn, call } = begun;
        Ok(Self {
            message_id: turn.message,
            reply_id: turn.reply,
            generation_id: turn.generation,
            call: call.map(ProviderCall::written).transpose()?,
        })
    }
}

impl ProviderCall {
    fn written(call: BrowserCall) -> Result<Self, Problem> {
        let base_url = &call.provider.provider.base_url;
        let written = |error: CompletionError| Problem::internal(error.to_string());
        Ok(Self {
            url: openai_endpoints(base_url).map_err(written)?.chat,
            body: openai_body(base_url, &call.request).map_err(written)?,
            api_key: call.provider.api_key.map(|key| key.expose().to_owned()),
        })
    }
}

/// A model id of the right shape. Whether the model exists is found out when it is called.
pub(crate) fn clean_model(model: String) -> Result<String, Problem> {
    let shaped = model.len() <= MODEL_BYTES
        && stoa_model::provider::split_model_id(&model).is_some()
        // Some servers name models with spaces.
        && model.trim() == model
        && !model.chars().any(char::is_control);
    if shaped { Ok(model) } else { Err(Problem::field("model", "must be `slug/name`, such as `local/smollm2:135m`")) }
}

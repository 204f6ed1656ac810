//! `POST /api/generate`

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use stoa_dispatch::Call;
use stoa_model::completion::{LocalOptions, PromptMessage, PromptRole};
use stoa_model::json::Json;
use stoa_model::tools::Tools;

use super::answer::Common;
use super::caller::Caller;
use super::error::Refusal;
use super::stream::{Answer, Shape};
use super::{Ollama, body_with_images, images};

#[derive(Deserialize)]
struct GenerateRequest {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    suffix: String,
    #[serde(default)]
    system: String,
    #[serde(default)]
    template: String,
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    images: Option<Vec<Json>>,
    /// Tokens of an earlier answer.
    #[serde(default)]
    context: Option<Vec<u32>>,
}

pub(super) async fn generate(
    State(state): State<Ollama>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let begun = Instant::now();
    let request: GenerateRequest = body_with_images(request).await?;
    let prepared = request.common.prepare(&state.models).await?;
    let name = &request.common.model;
    let filled = |list: bool, what: &str| {
        if list { Err(Refusal::invalid(format!("\"{name}\" does not support {what}"))) } else { Ok(()) }
    };
    let images = images::read(request.images)?;
    filled(request.raw && !images.is_empty(), "images in a raw prompt; leave out `raw`")?;
    let context = request.context.unwrap_or_default();
    filled(request.raw && !context.is_empty(), "`context` in a raw prompt; leave out `raw`")?;
    let answer = Answer { shape: Shape::Generate, model: name.clone(), begun, app: state.app.clone() };
    if request.prompt.is_empty() && images.is_empty() {
        let (reason, loading) = state.load_or_unload(&prepared, caller.0.user_id()).await?;
        return Ok(answer.done(reason, loading));
    }
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let call = if request.raw {
        let call = prepared.call(Vec::new(), Tools::default());
        Call { local: LocalOptions { prompt: Some(request.prompt), ..call.local }, ..call }
    } else {
        let system = given(request.system).map(|system| PromptMessage::new(PromptRole::System, system));
        let asked = PromptMessage { images, ..PromptMessage::new(PromptRole::User, request.prompt) };
        let messages = system.into_iter().chain([asked]).collect();
        let call = prepared.call(messages, Tools::default());
        let (suffix, template) = (given(request.suffix), given(request.template));
        Call { local: LocalOptions { suffix, template, context: Some(context), ..call.local }, ..call }
    };
    let answering = state.app.dispatch.call(&caller.0, call).await?;
    answer.send(answering.events, request.common.stream.unwrap_or(true)).await
}

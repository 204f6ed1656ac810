//! `POST /v1/completions`: a text that a model goes on with, or a gap that it fills.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use stoa_dispatch::{Answering, Call};
use stoa_model::completion::{AnswerForm, LocalOptions, PromptMessage, PromptRole, Timers};
use stoa_model::provider::LOCAL_SLUG;
use stoa_providers::outward::{ApiError, ChunkEncoder, ChunkEvents, Form, TextRequest};

use super::stream::{answer_id, collect, streamed};
use super::{Refusal, Surface, body, caller, only_local};
use crate::app::App;

pub(super) async fn complete(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let request = TextRequest::parse(&body(Request::from_parts(parts, rest)).await?)?;
    let model = surface.model_id(&request.model);
    let local = model.strip_prefix(LOCAL_SLUG).and_then(|name| name.strip_prefix('/'));
    if request.suffix.is_some() {
        only_local(&model, "suffix")?;
    }
    // To a model that can chat, the text is what its user says; a base model reads it as it is.
    let reads_text = match local {
        None => false,
        Some(name) => match app.local_models.runtime.profile(name.to_owned()).await {
            Ok((_, profile)) => !profile.can_chat,
            Err(error) => return Err(ApiError::from(&error).into()),
        },
    };
    let (messages, prompt) = if reads_text {
        (Vec::new(), Some(request.prompt))
    } else {
        (vec![PromptMessage::new(PromptRole::User, request.prompt)], None)
    };
    let call = Call {
        model,
        messages,
        parameters: request.parameters,
        stop: request.stop,
        seed: request.seed,
        form: AnswerForm::default(),
        timers: Timers::default(),
        local: LocalOptions { prompt, suffix: request.suffix, ..LocalOptions::default() },
        generation: None,
        receipt: None,
    };
    let Answering { stand_in, events } =
        app.dispatch.call(&principal, call).await.map_err(|error| ApiError::from(&error))?;
    let model = stand_in.unwrap_or(request.model);
    let id = answer_id("cmpl-");
    if request.stream {
        let encoder = ChunkEncoder::new(Form::Text, &id, &model, app.now(), request.include_usage);
        return Ok(streamed(events, ChunkEvents::new(encoder)));
    }
    let answer = collect(events).await.map_err(|error| ApiError::from(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_json(Form::Text, &id, &model, app.now())).into_response())
}

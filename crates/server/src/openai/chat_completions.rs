//! `POST /v1/chat/completions`

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use stoa_dispatch::{Answering, Call};
use stoa_model::completion::{LocalOptions, Timers};
use stoa_providers::outward::{ApiError, ChatRequest, ChunkEncoder, ChunkEvents, Form};

use super::stream::{answer_id, collect, streamed};
use super::{Refusal, Surface, body, caller, check_sight, only_local};
use crate::app::App;

pub(super) async fn complete(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let request = ChatRequest::parse(&body(Request::from_parts(parts, rest)).await?)?;
    let model = surface.model_id(&request.model);
    if request.logprobs.is_some() {
        only_local(&model, "logprobs")?;
    }
    check_sight(&app, &principal, &model, &request.messages)?;
    let call = Call {
        model,
        messages: request.messages,
        parameters: request.parameters,
        stop: request.stop,
        seed: request.seed,
        form: request.form,
        timers: Timers::default(),
        local: LocalOptions { logprobs: request.logprobs, ..LocalOptions::default() },
        generation: None,
        receipt: None,
    };
    let Answering { stand_in, events } =
        app.dispatch.call(&principal, call).await.map_err(|error| ApiError::from(&error))?;
    let model = stand_in.unwrap_or(request.model);
    let id = answer_id("chatcmpl-");
    if request.stream {
        let encoder = ChunkEncoder::new(Form::Chat, &id, &model, app.now(), request.include_usage);
        return Ok(streamed(events, ChunkEvents::new(encoder)));
    }
    let answer = collect(events).await.map_err(|error| ApiError::from(&error))?;
    let json = answer.to_json(Form::Chat, &id, &model, app.now());
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

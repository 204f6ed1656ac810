//! `POST /v1/responses`: OpenAI's newer request, each of which stands for itself.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use stoa_dispatch::{Answering, Call};
use stoa_model::completion::{LocalOptions, Timers};
use stoa_providers::outward::{ApiError, ResponseEvents, ResponsesRequest};

use super::stream::{answer_id, collect, streamed};
use super::{Refusal, Surface, body, caller, check_sight};
use crate::app::App;

pub(super) async fn create(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let mut request = ResponsesRequest::parse(&body(Request::from_parts(parts, rest)).await?)?;
    let model = surface.model_id(&request.model);
    check_sight(&app, &principal, &model, &request.messages)?;
    let call = Call {
        model,
        messages: request.messages.clone(),
        parameters: request.parameters.clone(),
        stop: Vec::new(),
        seed: None,
        form: request.form.clone(),
        timers: Timers::default(),
        local: LocalOptions::default(),
        generation: None,
        receipt: None,
    };
    let Answering { stand_in, events } =
        app.dispatch.call(&principal, call).await.map_err(|error| ApiError::from(&error))?;
    request.model = stand_in.unwrap_or(request.model);
    let token = answer_id("");
    if request.stream {
        return Ok(streamed(events, ResponseEvents::new(&token, &request, app.now())));
    }
    let answer = collect(events).await.map_err(|error| ApiError::from(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_response(&token, &request, app.now())).into_response())
}

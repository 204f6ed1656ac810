//! `POST /v1/messages`: Anthropic's protocol, by API key, through the same dispatch as the chat. Errors have its shape.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue};
use stoa_dispatch::{Answering, Call};
use stoa_model::completion::{LocalOptions, Timers};
use stoa_providers::outward::{ApiError, MessageEvents, MessagesRequest, anthropic_error};

use crate::app::App;
use crate::openai::stream::{answer_id, collect, streamed};
use crate::openai::{Surface, body, caller, check_sight, only_local};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/messages", post(create))
}

async fn create(State(app): State<App>, request: Request) -> Response {
    let request_id = answer_id("req_");
    let mut response = match answer(&app, request).await {
        Ok(response) => response,
        Err(error) => refusal(&error, &request_id),
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn answer(app: &App, request: Request) -> Result<Response, ApiError> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, app).await?;
    let surface = Surface::of(&parts);
    let request = MessagesRequest::parse(&body(Request::from_parts(parts, rest)).await?)?;
    let model = surface.model_id(&request.model);
    if request.top_k.is_some() {
        only_local(&model, "top_k")?;
    }
    check_sight(app, &principal, &model, &request.messages)?;
    let call = Call {
        model,
        messages: request.messages,
        parameters: request.parameters,
        stop: request.stop,
        seed: None,
        form: request.form,
        timers: Timers::default(),
        local: LocalOptions { top_k: request.top_k, ..LocalOptions::default() },
        generation: None,
        receipt: None,
    };
    let Answering { stand_in, events } =
        app.dispatch.call(&principal, call).await.map_err(|error| ApiError::from(&error))?;
    let model = stand_in.unwrap_or(request.model);
    let id = answer_id("msg_");
    if request.stream {
        return Ok(streamed(events, MessageEvents::new(id, model, request.shows_thoughts)));
    }
    let answer = collect(events).await.map_err(|error| ApiError::from(&error))?;
    let json = answer.to_message(&id, &model, request.shows_thoughts).map_err(|error| ApiError::from(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

fn refusal(error: &ApiError, request_id: &str) -> Response {
    let (status, json) = anthropic_error(error, request_id);
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = error.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    response
}

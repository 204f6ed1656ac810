//! `POST /v1/embeddings`: of the models of this machine.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use stoa_model::completion::Timers;
use stoa_model::provider::LOCAL_SLUG;
use stoa_models::runtime::EmbedRequest;
use stoa_providers::outward::{ApiError, EmbeddingsRequest};

use super::{Refusal, Surface, body, caller};
use crate::app::App;
use crate::vectors;

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Entry>,
    model: &'a str,
    usage: Used,
}

#[derive(Serialize)]
struct Entry {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

/// Base64 is of the numbers' bytes, the lowest first; it is what OpenAI's own client asks for.
#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Used {
    prompt_tokens: u64,
    total_tokens: u64,
}

pub(super) async fn embed(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let asked = EmbeddingsRequest::parse(&body(Request::from_parts(parts, rest)).await?)?;
    let id = surface.model_id(&asked.model);
    let local = id.strip_prefix(LOCAL_SLUG).and_then(|name| name.strip_prefix('/'));
    let Some(model) = local else {
        if app.dispatch.models(&principal).iter().all(|model| model.id != id) {
            return Err(ApiError::model_not_found(&asked.model).into());
        }
        let message = format!("Only models of this machine make vectors here: their ids begin with `{LOCAL_SLUG}/`.");
        return Err(ApiError::invalid("unsupported_value", "model", message).into());
    };
    let request = EmbedRequest {
        model: model.to_owned(),
        inputs: asked.input,
        truncate: false,
        dimensions: asked.dimensions,
        keep_alive: None,
        tenant: principal.user_id(),
        timers: Timers::default(),
    };
    let embeddings = vectors::embed(&app, &principal, request).await.map_err(|error| ApiError::from(&error))?;
    let vector = |numbers: Vec<f32>| {
        if asked.base64 {
            Vector::Base64(STANDARD.encode(numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()))
        } else {
            Vector::Numbers(numbers)
        }
    };
    let entry = |(index, numbers)| Entry { object: "embedding", index, embedding: vector(numbers) };
    let tokens = embeddings.prompt_tokens;
    let answer = Answer {
        object: "list",
        data: embeddings.vectors.into_iter().enumerate().map(entry).collect(),
        model: &asked.model,
        usage: Used { prompt_tokens: tokens, total_tokens: tokens },
    };
    let json = serde_json::to_vec(&answer).map_err(|error| super::internal(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

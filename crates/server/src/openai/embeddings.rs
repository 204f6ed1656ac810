//! `POST /v1/embeddings`: of the models of this machine, and of those of providers.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use stoa_model::completion::Timers;
use stoa_model::embedding::EmbeddingRequest;
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
    let EmbeddingsRequest { model, input: inputs, dimensions, base64 } = asked;
    let local = id.strip_prefix(LOCAL_SLUG).and_then(|name| name.strip_prefix('/'));
    let timers = Timers::default();
    let made = if let Some(name) = local {
        let request = EmbedRequest {
            model: name.to_owned(),
            inputs,
            truncate: false,
            dimensions,
            keep_alive: None,
            tenant: principal.user_id(),
            timers,
        };
        vectors::embed(&app, &principal, request).await.map(|made| (made.vectors, made.prompt_tokens))
    } else {
        // The name stands in the id, which is what `dispatch` looks for.
        let request = EmbeddingRequest { model: String::new(), inputs, dimensions, tenant: None, depth: 0, timers };
        let made = app.dispatch.embed(&principal, id.clone(), request).await;
        made.map(|made| (made.vectors, made.usage.prompt_tokens))
    };
    let (vectors, tokens) = made.map_err(|error| ApiError::from(&error))?;
    let vector = |numbers: Vec<f32>| {
        if base64 {
            Vector::Base64(STANDARD.encode(numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()))
        } else {
            Vector::Numbers(numbers)
        }
    };
    let entry = |(index, numbers)| Entry { object: "embedding", index, embedding: vector(numbers) };
    let answer = Answer {
        object: "list",
        data: vectors.into_iter().enumerate().map(entry).collect(),
        model: &model,
        usage: Used { prompt_tokens: tokens, total_tokens: tokens },
    };
    let json = serde_json::to_vec(&answer).map_err(|error| super::internal(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

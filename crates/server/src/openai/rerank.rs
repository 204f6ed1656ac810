//! `POST /v1/rerank`, in the shape that Jina, Cohere and vLLM share.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rand::Rng as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use stoa_model::completion::CompletionError;
use stoa_providers::outward::ApiError;

use super::{Refusal, Surface, body, caller};
use crate::app::App;
use crate::rerank::{Asked, Document, rerank};

/// What is not known may change what is meant, and is refused by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RerankBody {
    model: String,
    query: String,
    documents: Vec<Document>,
    #[serde(default)]
    top_n: Option<usize>,
    #[serde(default)]
    return_documents: Option<bool>,
    #[serde(default)]
    truncate: Option<bool>,
    /// A label.
    #[serde(default, rename = "user")]
    _user: IgnoredAny,
}

pub(super) async fn rank(State(app): State<App>, request: Request) -> Result<Response, Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let bytes = body(Request::from_parts(parts, rest)).await?;
    let invalid =
        |error: serde_json::Error| ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", error.to_string());
    let request: RerankBody = serde_json::from_slice(&bytes).map_err(invalid)?;
    let asked = Asked {
        query: request.query,
        documents: request.documents,
        top_n: request.top_n,
        return_documents: request.return_documents.unwrap_or(false),
        truncate: request.truncate.unwrap_or(false),
        keep_alive: None,
    };
    let answer =
        rerank(&app, &principal, surface.model_id(&request.model), asked).await.map_err(|error| refusal(&error))?;
    let json = json!({
        "id": rerank_id(),
        "model": request.model,
        "results": answer.results,
        "usage": { "prompt_tokens": answer.prompt_tokens, "total_tokens": answer.prompt_tokens },
    });
    Ok(([(CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}

fn refusal(error: &CompletionError) -> ApiError {
    let refusal = ApiError::from(error);
    match error {
        CompletionError::TooLong { .. } => ApiError { param: Some("documents".to_owned()), ..refusal },
        _ => refusal,
    }
}

fn rerank_id() -> String {
    let mut bytes = [0; 18];
    rand::rng().fill_bytes(&mut bytes);
    format!("rerank-{}", URL_SAFE_NO_PAD.encode(bytes))
}

//! Errors in Ollama's shape: a status and `{"error": "…"}`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use stoa_identity::IdentityError;
use stoa_model::completion::CompletionError;
use stoa_model_store::StoreError;
use stoa_model_store::registry::RegistryError;

use crate::problem::{Problem, chain};

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn no_model(name: &str) -> Self {
        let name: String = name.chars().take(200).collect();
        Self::new(StatusCode::NOT_FOUND, format!("model '{name}' not found"))
    }

    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(cause = chain(error), "a call of Ollama's protocol failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on the server")
    }

    /// A line of a stream that has begun.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::json!({ "error": self.message }).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.message }).to_string();
        let mut response = (self.status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

impl From<CompletionError> for Refusal {
    fn from(error: CompletionError) -> Self {
        let status = match &error {
            CompletionError::UnknownModel { model } => {
                return Self::no_model(model.strip_prefix("local/").unwrap_or(model));
            }
            CompletionError::Invalid { .. } | CompletionError::TooLong { .. } => StatusCode::BAD_REQUEST,
            CompletionError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            CompletionError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            CompletionError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let retry_after = match &error {
            CompletionError::TooMany { retry_after, .. } | CompletionError::Busy { retry_after } => Some(*retry_after),
            _ => None,
        };
        Self { status, message: error.to_string(), retry_after }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { name } => Self::no_model(&name),
            StoreError::Name(_)
            | StoreError::NoWeights
            | StoreError::SeveralAdapters
            | StoreError::NoSuchBlob { .. }
            | StoreError::UnusableBlob { .. }
            | StoreError::DigestMismatch { .. }
            | StoreError::TooLong { .. } => Self::invalid(chain(&error)),
            StoreError::DiskFull { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "the disk of the models is full")
            }
            StoreError::DamagedManifest { .. } | StoreError::MissingBlob { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
            error => Self::internal(&error),
        }
    }
}

impl From<&RegistryError> for Refusal {
    fn from(error: &RegistryError) -> Self {
        let status = match error {
            RegistryError::NotFound { .. } => StatusCode::NOT_FOUND,
            RegistryError::NotAllowed { .. } | RegistryError::Host { .. } => StatusCode::BAD_REQUEST,
            error if error.refused_authority().is_some() => StatusCode::FORBIDDEN,
            RegistryError::Unauthorized { .. } | RegistryError::Forbidden { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, chain(error))
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(&error)
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Unauthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, "the API key is not known here, has run out, or was taken away")
            }
            error => Self::internal(&error),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status, problem.detail)
    }
}

pub(super) async fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

pub(super) async fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "404 page not found")
}

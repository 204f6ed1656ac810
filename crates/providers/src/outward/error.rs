//! Errors in OpenAI's shape, and what the failures of a call are called there.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use stoa_model::completion::{CompletionError, ParameterOutOfRange};

/// `{"error": {"message", "type", "param", "code"}}` with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    /// OpenAI's `type`.
    pub kind: &'static str,
    pub code: Option<Cow<'static, str>>,
    /// The parameter at fault: `temperature`, `messages[2].role`.
    pub param: Option<String>,
    pub message: String,
    /// For the `Retry-After` header.
    pub retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Object<'a>,
}

#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl ApiError {
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code: None, param: None, message: message.into(), retry_after: None }
    }

    /// The request is at fault.
    pub fn invalid(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: Some(Cow::Borrowed(code)),
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
        }
    }

    pub fn out_of_range(error: &ParameterOutOfRange) -> Self {
        let ParameterOutOfRange { name, minimum, maximum, value } = error;
        let message = format!("`{name}` must be between {minimum} and {maximum}, but is {value}.");
        Self::invalid("invalid_value", *name, message)
    }

    /// The key is missing, unknown, expired or may not do this.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self {
            code: Some(Cow::Borrowed("invalid_api_key")),
            ..Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
        }
    }

    pub fn model_not_found(model: &str) -> Self {
        Self {
            code: Some(Cow::Borrowed("model_not_found")),
            param: Some("model".to_owned()),
            ..Self::new(
                StatusCode::NOT_FOUND,
                "invalid_request_error",
                format!("The model `{model}` does not exist or you do not have access to it."),
            )
        }
    }

    /// The JSON of the body.
    pub fn to_json(&self) -> Vec<u8> {
        let body = Body {
            error: Object {
                message: &self.message,
                kind: self.kind,
                param: self.param.as_deref(),
                code: self.code.as_deref(),
            },
        };
        // Strings and nulls alone always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// How a failed call looks to the program that made it. Addresses and keys of providers are the administrators' business:
/// they are not in it.
impl From<&CompletionError> for ApiError {
    fn from(error: &CompletionError) -> Self {
        let code = Some(Cow::Borrowed(error.code()));
        let upstream =
            |status, message: String| Self { code: code.clone(), ..Self::new(status, "server_error", message) };
        match error {
            CompletionError::Unreachable { .. } | CompletionError::AddressRefused { .. } => {
                upstream(StatusCode::BAD_GATEWAY, "The provider of this model cannot be reached.".to_owned())
            }
            CompletionError::Refused { status: 429, retry_after, .. } => Self {
                code: Some(Cow::Borrowed("rate_limit_exceeded")),
                retry_after: *retry_after,
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", sentence(error))
            },
            CompletionError::Refused { status: 400 | 413 | 422, .. } | CompletionError::Invalid { .. } => {
                Self { code, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", sentence(error)) }
            }
            // Its key, its billing, its outage: nothing that the caller's own key or request could mend.
            CompletionError::Refused { retry_after, .. } => {
                Self { retry_after: *retry_after, ..upstream(StatusCode::BAD_GATEWAY, sentence(error)) }
            }
            CompletionError::Protocol { .. } | CompletionError::CutOff => {
                upstream(StatusCode::BAD_GATEWAY, sentence(error))
            }
            CompletionError::TimedOut { .. } => upstream(StatusCode::GATEWAY_TIMEOUT, sentence(error)),
            CompletionError::TooLong { .. } => Self::invalid("context_length_exceeded", "messages", sentence(error)),
            CompletionError::UnknownModel { model } => Self::model_not_found(model),
            CompletionError::TooMany { retry_after, .. } => Self {
                code,
                retry_after: Some(*retry_after),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", sentence(error))
            },
            CompletionError::Busy { retry_after } => {
                Self { retry_after: Some(*retry_after), ..upstream(StatusCode::SERVICE_UNAVAILABLE, sentence(error)) }
            }
            CompletionError::NoRoom { .. } => upstream(StatusCode::INSUFFICIENT_STORAGE, sentence(error)),
            CompletionError::WorkerFailed { .. } => upstream(StatusCode::INTERNAL_SERVER_ERROR, sentence(error)),
        }
    }
}

/// The text as a sentence of its own.
fn sentence(error: &CompletionError) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    let mut sentence: String = first.chain(characters).collect();
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

//! Errors in Anthropic's shape: <https://docs.anthropic.com/en/api/errors>.

use http::StatusCode;
use serde_json::{Value, json};

use crate::outward::ApiError;

/// Anthropic's status for a service that is busy.
const OVERLOADED: u16 = 529;

/// The status and the JSON of the body.
pub fn anthropic_error(error: &ApiError, request_id: &str) -> (StatusCode, Vec<u8>) {
    let status = match error.status {
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::from_u16(OVERLOADED).unwrap_or(error.status),
        status => status,
    };
    (status, object(error, status, Some(request_id)).to_string().into_bytes())
}

/// The object of an error, in a body or in the middle of a stream.
pub(super) fn object(error: &ApiError, status: StatusCode, request_id: Option<&str>) -> Value {
    let mut object = json!({"type": "error", "error": {"type": kind(status), "message": error.message}});
    if let Some(id) = request_id {
        object["request_id"] = Value::from(id);
    }
    object
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | OVERLOADED => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

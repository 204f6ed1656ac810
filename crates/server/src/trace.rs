//! The outermost layer: gives each request an id, writes problems, and logs one line a request.

use std::fmt::Write as _;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue};
use rand::Rng as _;

use crate::app::App;
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called, for those who pass it on.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

pub(crate) async fn trace(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = new_id();
    let method = request.method().clone();
    // The pattern of the route, not the path: ids and names of files stay out of the log.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let begun = Instant::now();
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let status = response.status().as_u16();
    let took = begun.elapsed();
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let route = route.as_deref().unwrap_or("-");
    app.options.figures.answered(route, &method, response.status(), took);
    match &problem {
        Some(problem) if status >= 500 => {
            let cause = problem.more.cause.as_deref().unwrap_or_default();
            tracing::error!(request_id = %id, %method, route, status, ms, code = problem.code, cause, "request failed");
        }
        Some(problem) => tracing::info!(request_id = %id, %method, route, status, ms, code = problem.code, "request"),
        None => tracing::info!(request_id = %id, %method, route, status, ms, "request"),
    }
    if let Some(problem) = problem {
        write(&mut response, &problem, &id);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn write(response: &mut Response, problem: &Problem, id: &str) {
    match serde_json::to_vec(&problem.body(id)) {
        Ok(body) => {
            *response.body_mut() = Body::from(body);
            let headers = response.headers_mut();
            headers.remove(http::header::CONTENT_LENGTH);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            if let Some(after) = problem.more.retry_after {
                headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
            }
        }
        Err(error) => {
            tracing::error!(%error, "a problem cannot be written");
            *response = problem.status.into_response();
        }
    }
}

fn new_id() -> String {
    let mut bytes = [0; 12];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().fold(String::with_capacity(24), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

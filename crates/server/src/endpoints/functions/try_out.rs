//! `POST /api/v1/functions/{id}/try`: a call by its owner, whatever the function's address is open to.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde::Deserialize;
use stoa_functions_service::{Answered, Caller as FunctionCaller, MeteredBody, Target, Whom};
use stoa_model::FunctionId;

use super::instances::version_name;
use super::problem::to_its_owner;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};
use crate::trace::RequestId;

/// Bytes of a call.
const BODY_BYTES: usize = 4 * 1024 * 1024;
const MAX_HEADERS: usize = 50;
const MAX_PATH: usize = 4_096;

/// What an answer of a function may do in a browser that opens it: run, but as nobody and as of nowhere, so that it reaches
/// nothing of the application that it shares its address with.
pub(crate) const ANSWER_POLICY: HeaderValue =
    HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups allow-downloads; frame-ancestors 'none'");

const VERSION: HeaderName = HeaderName::from_static("x-stoa-version");
const INSTANCE: HeaderName = HeaderName::from_static("x-stoa-instance");
const COLD_START: HeaderName = HeaderName::from_static("x-stoa-cold-start");

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryFunction {
    /// `latest`, an alias, or the number of a version.
    target: String,
    /// Such as `GET`.
    method: String,
    /// With its query, beginning with `/`.
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

/// Calls a function. Its answer is passed on as it comes, with `x-stoa-version` beside it; what comes without that is a
/// problem of the server's.
#[utoipa::path(
    post, path = "/functions/{id}/try", tag = "functions", params(("id" = FunctionId, Path)),
    request_body = TryFunction,
    responses(
        (status = 200, body = String, content_type = "*/*", description = "Whatever the function answers."),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
        (status = 504, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn try_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Extension(RequestId(named)): Extension<RequestId>,
    Json(asked): Json<TryFunction, BODY_BYTES>,
) -> Result<Response> {
    app.database.function_code(&principal, id).await?;
    let request = request(&asked)?;
    let caller = FunctionCaller {
        user: principal.user_id(),
        queue: "its owner".to_owned(),
        request: Some(named),
        ..FunctionCaller::default()
    };
    let function = app.functions.callable(&Whom::Id(id)).await.map_err(to_its_owner)?;
    let answer = app.functions.call(&function, &Target::parse(&asked.target), &caller, request).await;
    Ok(passed_on(answer.map_err(to_its_owner)?))
}

fn request(asked: &TryFunction) -> Result<Request<stoa_functions::RequestBody>> {
    let method = asked.method.parse::<Method>().ok().filter(|method| *method != Method::CONNECT);
    let method = method.ok_or_else(|| Problem::field("method", "There is no such method."))?;
    if !asked.path.starts_with('/') || asked.path.len() > MAX_PATH {
        return Err(Problem::field("path", "It begins with `/` and has at most 4,096 bytes."));
    }
    if asked.headers.len() > MAX_HEADERS {
        return Err(Problem::field("headers", format!("Use at most {MAX_HEADERS}.")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        let name =
            name.parse::<HeaderName>().map_err(|_| Problem::field("headers", format!("`{name}` is no name.")))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| Problem::field("headers", format!("`{name}` has a value that no header has.")))?;
        headers.append(name, value);
    }
    let body = Full::new(bytes::Bytes::from(asked.body.clone())).map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = asked.path.parse().map_err(|_| Problem::field("path", "It is no path."))?;
    *request.headers_mut() = headers;
    own_hop(request.headers_mut());
    request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    Ok(request)
}

/// Takes away what is said between two neighbours only (RFC 9110 §7.6.1).
pub(crate) fn own_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION];
    for name in named.into_iter().chain(always).chain([HeaderName::from_static("keep-alive")]) {
        headers.remove(name);
    }
}

/// The answer of a function to whoever called it. It sets no cookie, as those would be the application's.
pub(crate) fn passed_on(answer: http::Response<MeteredBody>) -> Response {
    let (head, body) = answer.into_parts();
    let (head, ()) = passed_on_head(head).map(|_| ()).into_parts();
    Response::from_parts(head, Body::new(body))
}

/// Without its body.
pub(crate) fn passed_on_head(head: http::response::Parts) -> Response {
    let answered = head.extensions.get::<Answered>().cloned();
    let mut response = Body::empty().into_response();
    *response.status_mut() = head.status;
    let headers = response.headers_mut();
    *headers = head.headers;
    own_hop(headers);
    headers.remove(SET_COOKIE);
    for name in ["clear-site-data", "service-worker-allowed", "strict-transport-security"] {
        headers.remove(name);
    }
    headers.insert(CONTENT_SECURITY_POLICY, ANSWER_POLICY);
    if let Some(answered) = answered {
        let cold = answered
            .served
            .as_ref()
            .and_then(|served| served.cold_start)
            .map(|cold| cold.until_ready().as_millis() + cold.first_byte.map_or(0, |first| first.as_millis()));
        let instance = answered.served.as_ref().map(|served| served.instance.as_str().to_owned());
        let said = [
            (VERSION, Some(version_name(answered.version))),
            (INSTANCE, instance),
            (COLD_START, cold.map(|ms| ms.to_string())),
        ];
        for (name, value) in said {
            headers.remove(&name);
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
    }
    response
}

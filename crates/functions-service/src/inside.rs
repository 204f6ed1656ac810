//! Functions as hosts that the server itself reaches: `ALIAS.NAME.functions.internal`. That is how one becomes a model.

use std::convert::Infallible;

use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stoa_egress::{BoxedStream, Host, Inside, Target as Address};
use stoa_model::UserId;
use stoa_model::function::{CALLER_HEADER, DEPTH_HEADER, HOST_SUFFIX};

use crate::routing::Target;
use crate::service::{Caller, FunctionService, ServiceError, Whom};

/// What waits in the pipe in either direction.
const PIPE_BYTES: usize = 64 * 1024;

/// The base URL of a function's OpenAI protocol.
pub fn base_url(function: &str, alias: &str) -> String {
    format!("http://{alias}.{function}{HOST_SUFFIX}/v1")
}

/// Reaches functions without a network.
pub struct InsideFunctions(pub FunctionService);

impl Inside for InsideFunctions {
    fn connect(&self, target: &Address) -> Option<BoxedStream> {
        let Host::Name(host) = target.host() else { return None };
        let (alias, name) = host.strip_suffix(HOST_SUFFIX)?.split_once('.')?;
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let service = self.0.clone();
        let (alias, name) = (alias.to_owned(), name.to_owned());
        self.0.tracker().spawn(async move {
            let answer = |request| {
                let (service, alias, name) = (service.clone(), alias.clone(), name.clone());
                async move { Ok::<_, Infallible>(answer(&service, name, alias, request).await) }
            };
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(theirs), service_fn(answer))
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection to a function has ended early");
            }
        });
        Some(Box::new(ours))
    }
}

type Bytes = UnsyncBoxBody<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>>;

async fn answer(
    service: &FunctionService,
    name: String,
    alias: String,
    request: Request<hyper::body::Incoming>,
) -> Response<Bytes> {
    let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    request.headers_mut().remove(CONNECTION);
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    let caller = caller(request.headers());
    let outcome = async {
        let function = service.callable(&Whom::Name(name)).await?;
        service.call(&function, &Target::Alias(alias), &caller, request).await
    };
    match outcome.await {
        Ok(mut response) => {
            for header in [CONNECTION, TRANSFER_ENCODING] {
                response.headers_mut().remove(header);
            }
            response.map(|body| body.map_err(Into::into).boxed_unsync())
        }
        Err(error) => refusal(&error),
    }
}

/// Only providers get here, by the server's own hand, so that what they say is true.
fn caller(headers: &HeaderMap) -> Caller {
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let depth = said(DEPTH_HEADER).and_then(|depth| depth.parse().ok()).unwrap_or(0);
    let user: Option<UserId> = said(CALLER_HEADER).and_then(|user| user.parse().ok());
    let queue = user.map_or_else(|| "models".to_owned(), |user| user.to_string());
    Caller { user, queue, depth, ..Caller::default() }
}

/// In the shape of OpenAI's errors, whose words the chat shows.
fn refusal(error: &ServiceError) -> Response<Bytes> {
    let status = match error {
        ServiceError::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = serde_json::json!({ "error": { "message": error.to_string(), "type": "function_error" } });
    let body = Full::new(bytes::Bytes::from(body.to_string()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

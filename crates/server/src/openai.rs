//! `/v1`: the OpenAI protocol, by API key, through the same dispatch as the chat. Errors have OpenAI's shape. Anthropic's
//! protocol has its one route beside.

mod chat_completions;
mod completions;
mod embeddings;
mod models;
mod rerank;
mod responses;
pub(crate) mod stream;
mod transcriptions;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use stoa_identity::{ApiKeyText, Credential, FunctionToken, IdentityError};
use stoa_model::completion::PromptMessage;
use stoa_model::function::MAX_CALL_DEPTH;
use stoa_model::provider::{LOCAL_SLUG, split_model_id};
use stoa_model::{Principal, Scope, Via};
use stoa_model_store::ModelName;
use stoa_providers::outward::ApiError;

use crate::anthropic;
use crate::app::App;
use crate::ollama::at_the_machine;
use crate::problem::Problem;
use crate::routes::FunctionsComeIn;

/// Bytes of a request: a long conversation with a few pictures.
const BODY_BYTES: usize = 32 * 1024 * 1024;

/// Where clients of Anthropic put the key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/models", get(models::list_models))
        .route("/v1/models/{*model}", get(models::get_model))
        .route("/v1/chat/completions", post(chat_completions::complete))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/rerank", post(rerank::rank))
        .route("/v1/responses", post(responses::create))
        .route("/v1/audio/transcriptions", post(transcriptions::transcribe))
        .merge(anthropic::routes())
}

/// The same on Ollama's listener: only the models of this machine, by their names there. What comes in has passed that
/// listener's guard.
pub(crate) fn local_routes(loopback_only: bool) -> Router<App> {
    routes().layer(Extension(Surface::ThisMachine { loopback_only }))
}

/// Which models a door leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Surface {
    /// All, as `slug/name`.
    #[default]
    All,
    /// Those of this machine, by their names there.
    ThisMachine { loopback_only: bool },
}

impl Surface {
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().copied().unwrap_or_default()
    }

    /// The id of a model that a request names.
    pub(crate) fn model_id(self, name: &str) -> String {
        match self {
            Self::All => name.to_owned(),
            // A name without a tag means the latest, as it does to Ollama.
            Self::ThisMachine { .. } => {
                let name = name.parse::<ModelName>().map_or_else(|_| name.to_owned(), |name| name.to_string());
                format!("{LOCAL_SLUG}/{name}")
            }
        }
    }

    /// What a model is called here; `None` when it is not to be seen.
    fn name_of(self, id: &str) -> Option<&str> {
        match self {
            Self::All => Some(id),
            Self::ThisMachine { .. } => id.strip_prefix(LOCAL_SLUG)?.strip_prefix('/'),
        }
    }
}

/// An error on its way out, in OpenAI's shape.
pub(super) struct Refusal(ApiError);

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0.to_json()));
        *response.status_mut() = self.0.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(after) = self.0.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

/// Whoever calls, by API key alone: a cookie is for pages, and no page calls this.
pub(crate) async fn caller(parts: &Parts, app: &App) -> Result<Principal, ApiError> {
    let header = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let shows_key = header(&API_KEY).is_some_and(|key| ApiKeyText::parse(key.trim()).is_some());
    if let Surface::ThisMachine { loopback_only } = Surface::of(parts)
        && !shows_key
        && at_the_machine(parts, loopback_only)
    {
        return Ok(Principal::AtTheMachine);
    }
    let bearer = header(&AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key);
    let Some(key) = bearer.or_else(|| header(&API_KEY)) else {
        let message = "Send an API key of this server as `Authorization: Bearer …` or `x-api-key: …`.";
        return Err(ApiError::unauthorized(message));
    };
    let key = key.trim();
    let function = parts.extensions.get::<FunctionsComeIn>().is_some() && FunctionToken::parse(key).is_some();
    let credential = if function { Credential::Function(key) } else { Credential::ApiKey(key) };
    let principal = app.door.authenticate(credential).await.map_err(|error| match error {
        IdentityError::Unauthenticated if function => {
            ApiError::unauthorized("This function may not call models any more.")
        }
        IdentityError::Unauthenticated => {
            ApiError::unauthorized("The API key is not known here, has run out, or was taken away.")
        }
        error => internal(&error),
    })?;
    let principal = at_its_depth(app, principal)?;
    if principal.allows(Scope::Infer) {
        Ok(principal)
    } else if function {
        Err(ApiError::unauthorized("This function may not call models: its owner may allow it."))
    } else {
        let message = "This API key may not run models: it lacks the scope `infer`.";
        Err(ApiError::new(StatusCode::FORBIDDEN, "invalid_request_error", message))
    }
}

/// A function calls a model on behalf of some call that it answers. One that calls itself, by whatever detour, comes to an
/// end.
fn at_its_depth(app: &App, mut principal: Principal) -> Result<Principal, ApiError> {
    let Principal::User { via: Via::Function { id, depth, .. }, .. } = &mut principal else { return Ok(principal) };
    *depth = app.functions.depth(*id);
    if *depth < MAX_CALL_DEPTH {
        return Ok(principal);
    }
    let message = format!("{MAX_CALL_DEPTH} functions have called one another already.");
    let code = Some("function_call_depth".into());
    Err(ApiError { code, ..ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", message) })
}

/// Refuses what only the models of this machine understand, when another is asked.
pub(crate) fn only_local(model: &str, field: &str) -> Result<(), ApiError> {
    if split_model_id(model).is_some_and(|(slug, _)| slug == LOCAL_SLUG) {
        return Ok(());
    }
    let message = format!("`{field}` is for models of this machine: leave it out.");
    Err(ApiError::invalid("unsupported_parameter", field, message))
}

/// Refuses pictures that a model of this machine would pass over. What a provider's model sees the provider knows best.
pub(crate) fn check_sight(
    app: &App,
    principal: &Principal,
    model: &str,
    messages: &[PromptMessage],
) -> Result<(), ApiError> {
    if messages.iter().all(|message| message.images.is_empty()) {
        return Ok(());
    }
    let models = app.dispatch.models(principal);
    let blind = models.iter().any(|known| known.id == model && known.local && known.sees == Some(false));
    if blind {
        let message = format!("The model `{model}` takes no images.");
        return Err(ApiError::invalid("unsupported_value", "messages", message));
    }
    Ok(())
}

/// What OpenAI has and this server has not is refused in OpenAI's shape, too, so that its clients can show it.
pub(crate) fn no_such_address(method: &Method, path: &str) -> impl IntoResponse + use<> {
    let message = format!("There is no `{method} {path}` on this server.");
    Refusal(ApiError {
        code: Some("unknown_url".into()),
        ..ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
    })
}

fn internal(error: &(dyn std::error::Error + 'static)) -> ApiError {
    tracing::error!(cause = crate::problem::chain(error), "a call of the OpenAI API failed");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Something went wrong on the server.")
}

/// Reads the body, with its refusals in OpenAI's shape.
pub(crate) async fn body(request: Request) -> Result<bytes::Bytes, ApiError> {
    crate::extract::read_body(request, BODY_BYTES)
        .await
        .map_err(|problem: Problem| ApiError::new(problem.status, "invalid_request_error", problem.detail))
}

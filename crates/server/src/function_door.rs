//! `/fn/{name}/…`: functions by their addresses, for whoever their owners let in, from outside and from other functions.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{AUTHORIZATION, CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use stoa_functions::carry::carry;
use stoa_functions_service::{Caller, MeteredBody, Target, Whom};
use stoa_identity::jwt::{Claims, JwtError, NotAdmitted};
use stoa_identity::{Credential, FunctionToken};
use stoa_model::function::{HttpAccess, MAX_CALL_DEPTH};
use stoa_model::{FunctionId, Principal, Scope, UserId};
use stoa_storage::CallableFunction;

use crate::app::App;
use crate::endpoints::functions::{own_hop, passed_on, passed_on_head, refused};
use crate::extract::authenticate;
use crate::problem::{Problem, Result};
use crate::routes::FunctionsComeIn;
use crate::trace::RequestId;
use crate::visitor::Visitor;

/// Characters of a subject by which callers wait in line.
const MAX_QUEUE: usize = 100;
/// For both sides to leave HTTP.
const SWITCH_WITHIN: Duration = Duration::from_secs(10);
/// A WebSocket on which nothing goes has this long: those who mean to stay send pings.
const STANDS_STILL: Duration = Duration::from_mins(5);

/// Where the function's own paths begin, for those that make links.
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/fn/{name}", any(without_path))
        .route("/fn/{name}/", any(answer))
        .route("/fn/{name}/{*path}", any(answer))
}

/// Relative links want the slash.
async fn without_path(State(app): State<App>, request: Request) -> Response {
    if request.method().is_safe() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let place = format!("{}/{query}", request.uri().path());
        if let Ok(place) = HeaderValue::from_str(&place) {
            return (StatusCode::PERMANENT_REDIRECT, [(http::header::LOCATION, place)]).into_response();
        }
    }
    match called(&app, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(State(app): State<App>, request: Request) -> Response {
    match called(&app, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn called(app: &App, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/fn/").ok_or_else(Problem::not_found)?.to_owned();
    let (name, rest) = path.split_once('/').unwrap_or((&path, ""));
    let function = app.functions.callable(&Whom::Name(name.to_owned())).await.map_err(refused)?;
    let calling = calling(app, &mut parts).await?;
    let named = parts.extensions.get::<RequestId>().map(|RequestId(id)| id.clone());
    let sibling = calling.as_ref().filter(|calling| function.http.inside && calling.owner == function.owner);
    let caller = match sibling {
        Some(Calling { id, owner, .. }) => Caller { user: Some(*owner), queue: id.to_string(), ..Caller::default() },
        None => let_in(app, &mut parts, &function).await?,
    };
    let depth = calling.map_or(0, |calling| calling.depth);
    let caller = Caller { request: named, depth, ..caller };
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let uri: Uri = format!("/{rest}{query}").parse().map_err(|_| Problem::not_found())?;
    let prefix = HeaderValue::from_str(&format!("/fn/{name}")).map_err(|_| Problem::not_found())?;
    let target = Target::Alias(function.http.alias.clone());
    let version = parts.version;
    let asks = switches(&parts.headers);
    own_hop(&mut parts.headers);
    let ours = parts.extensions.remove::<OnUpgrade>().filter(|_| asks && version == http::Version::HTTP_11);
    if ours.is_some() {
        asking(&mut parts.headers);
    }
    let mut request = http::Request::new(body.map_err(Into::into).boxed_unsync());
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri;
    if version == http::Version::HTTP_2
        && let Some(host) = parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    {
        parts.headers.entry(http::header::HOST).or_insert(host);
    }
    *request.headers_mut() = parts.headers;
    request.headers_mut().insert(PREFIX, prefix);
    let answer = app.functions.call(&function, &target, &caller, request).await.map_err(refused)?;
    match ours {
        Some(ours) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => Ok(switched(app, ours, answer)),
        _ => Ok(passed_on(answer)),
    }
}

/// Whoever may call the function at its address.
async fn let_in(app: &App, parts: &mut Parts, function: &CallableFunction) -> Result<Caller> {
    match function.http.access {
        // As if it were not there.
        HttpAccess::Off => Err(Problem::not_found()),
        HttpAccess::Public => {
            let Ok(Visitor(device)) = Visitor::from_request_parts(parts, app).await;
            Ok(Caller { user: None, queue: device.address.to_string(), ..Caller::default() })
        }
        HttpAccess::Key => {
            let principal = by_key(app, parts).await?;
            let queue = principal.user_id().map(|user| user.to_string()).unwrap_or_default();
            // It is for us, and of no use to the function but to do what its bearer may.
            parts.headers.remove(AUTHORIZATION);
            Ok(Caller { user: principal.user_id(), queue, ..Caller::default() })
        }
        HttpAccess::Jwt => {
            let claims = by_token(app, function, &parts.headers).await?;
            let claims_header = HeaderValue::from_str(&claims.encoded).map_err(|_| not_taken(&JwtError::Malformed))?;
            let queue = claims.subject().map(|subject| subject.chars().take(MAX_QUEUE).collect());
            parts.headers.remove(AUTHORIZATION);
            Ok(Caller { queue: queue.unwrap_or_default(), claims: Some(claims_header), ..Caller::default() })
        }
    }
}

/// A function that calls, and shows it.
struct Calling {
    id: FunctionId,
    owner: UserId,
    depth: u8,
}

/// The token of a function is taken from the request in any case: whoever else had it could show it as well.
async fn calling(app: &App, parts: &mut Parts) -> Result<Option<Calling>> {
    let Some(token) = bearer(&parts.headers).filter(|token| FunctionToken::parse(token).is_some()) else {
        return Ok(None);
    };
    let token = token.to_owned();
    parts.headers.remove(AUTHORIZATION);
    if parts.extensions.get::<FunctionsComeIn>().is_none() {
        return Ok(None);
    }
    let principal = app.door.authenticate(Credential::Function(&token)).await?;
    let (Some(id), Some(owner)) = (principal.function_id(), principal.user_id()) else { return Ok(None) };
    let depth = app.functions.depth(id);
    if depth < MAX_CALL_DEPTH {
        return Ok(Some(Calling { id, owner, depth }));
    }
    let detail = format!("{MAX_CALL_DEPTH} functions have called one another already.");
    Err(Problem::new(StatusCode::BAD_REQUEST, "function_call_depth", detail))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Whether a request is one for a WebSocket (RFC 6455 §4.1). Nothing else is switched to.
fn switches(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    says(CONNECTION, "upgrade") && says(UPGRADE, "websocket")
}

fn asking(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// From here on, bytes go both ways until either side ends, or nothing goes for long. The call is on the account, and has
/// its place at the instance, as long.
fn switched(app: &App, ours: OnUpgrade, mut answer: http::Response<MeteredBody>) -> Response {
    let theirs = hyper::upgrade::on(&mut answer);
    let (head, body) = answer.into_parts();
    app.door.tasks().spawn(async move {
        let _held = body;
        let both = async { tokio::try_join!(ours, theirs) };
        match tokio::time::timeout(SWITCH_WITHIN, both).await {
            Ok(Ok((ours, theirs))) => {
                carry(TokioIo::new(ours), TokioIo::new(theirs), STANDS_STILL).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a connection was not switched"),
            Err(_) => tracing::debug!("a connection was not switched in time"),
        }
    });
    let mut response = passed_on_head(head);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    asking(response.headers_mut());
    response
}

/// A token of an issuer that the function trusts.
async fn by_token(app: &App, function: &CallableFunction, headers: &HeaderMap) -> Result<Claims> {
    let rules = function.http.jwt.as_ref().ok_or_else(Problem::not_found)?;
    let Some(token) = bearer(headers) else {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "This function wants a token (JWT).");
        return Err(problem.hint("Send it as `Authorization: Bearer …`."));
    };
    app.functions.admit(rules, token).await.map_err(|error| match error {
        NotAdmitted::Token(error) => not_taken(&error),
        NotAdmitted::Keys(error) => {
            let detail = "The keys that tokens are checked with cannot be read now.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", detail)
                .hint("Try again in a moment; if it stays, tell the function's owner.")
                .retry_after(Duration::from_secs(30))
                .cause(error.to_string())
        }
    })
}

fn not_taken(error: &JwtError) -> Problem {
    let mut detail = error.to_string();
    if let Some(first) = detail.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Problem::new(StatusCode::UNAUTHORIZED, "token_not_taken", format!("{detail}."))
}

async fn by_key(app: &App, parts: &Parts) -> Result<Principal> {
    // A session's cookie would be sent by any page that a browser is on.
    if !parts.headers.contains_key(AUTHORIZATION) {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "This function wants an API key.");
        return Err(problem.hint("Send it as `Authorization: Bearer …`."));
    }
    let principal = authenticate(parts, app).await?;
    if principal.allows(Scope::Infer) {
        return Ok(principal);
    }
    Err(Problem::forbidden().hint("This API key may not run anything. Make one with the scope `infer`."))
}

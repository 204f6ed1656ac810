//! An event stream as the body of an answer.

use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use stoa_chat::{EventStream, Parting, Revoked};
use stoa_identity::Ended;
use stoa_model::Principal;

use crate::app::App;

pub(crate) fn response(app: &App, events: EventStream) -> Response {
    let open = app.options.figures.stream_opened();
    let body = stream::unfold((events, open), |(mut events, open)| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), (events, open)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family hold answers back unless told.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Resolves when `principal` may no longer read what it has open.
pub(crate) fn revoked(app: &App, principal: &Principal) -> Revoked {
    let revocation = app.door.watch(principal);
    Box::pin(async move {
        match revocation.revoked().await {
            Ended::SignedOut => Parting::SignedOut,
            Ended::RightsChanged | Ended::Unverifiable => Parting::RightsChanged,
        }
    })
}

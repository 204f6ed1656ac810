//! How requests reach a store: through the one way out, like everything else.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use stoa_egress::{Egress, EgressError, Limits, Redirects, Request, Target};

use crate::MAX_BLOB_BYTES;

/// A store answers within this, or is tried again.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Duration::from_mins(1),
    // One more, so that what is too large is seen to be.
    body_bytes: MAX_BLOB_BYTES as u64 + 1,
    redirects: Redirects::None,
};

#[derive(Debug)]
pub(crate) struct WayOut(pub(crate) Egress);

impl HttpConnector for WayOut {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Client(self.0.clone())))
    }
}

#[derive(Debug)]
struct Client(Egress);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let target =
            Target::parse(&head.uri.to_string()).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut outgoing = Request::new(head.method, target, body.collect().await?.to_bytes());
        for (name, value) in &head.headers {
            outgoing = outgoing.header(name.clone(), value.clone());
        }
        let (head, body) = self.0.send(outgoing, LIMITS).await.map_err(failed)?.into_parts();
        // The body's connection is not to be shared between threads, as the store's client would have it; blobs are small.
        let body = body.collect().await.map_err(failed)?;
        let body = http_body_util::Full::new(body).map_err(|never| match never {});
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

fn failed(error: EgressError) -> HttpError {
    let kind = match &error {
        EgressError::ConnectTimedOut { .. } => HttpErrorKind::Connect,
        EgressError::HeadTimedOut { .. } | EgressError::TotalTimedOut { .. } => HttpErrorKind::Timeout,
        EgressError::CutOff(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

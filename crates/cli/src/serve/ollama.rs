//! The listener of Ollama's protocol.

use std::sync::Arc;
use std::time::Duration;

use stoa_listener::{BodyLimits, Listener, ListenerOptions, RequestBody, Tls};
use stoa_server::{App, OllamaOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Config;

/// Bytes of a request: files of models are uploaded here.
const BODY_BYTES: u64 = 1024 * 1024 * 1024 * 1024;
/// The longest that such an upload may take.
const BODY_TIME: Duration = Duration::from_hours(24);

/// Takes the address. `None` when it is switched off, or when nobody has chosen it and another program has it.
pub(super) fn bind(config: &Config) -> anyhow::Result<Option<Listener>> {
    let Some(address) = config.ollama_listen else { return Ok(None) };
    let options = ListenerOptions {
        drain_timeout: config.drain + Duration::from_secs(5),
        body: BodyLimits { max_bytes: BODY_BYTES, total_timeout: BODY_TIME, ..BodyLimits::default() },
        ..ListenerOptions::default()
    };
    match Listener::bind(address, options) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !config.ollama_chosen => {
            tracing::warn!(%address, error = &error as &dyn std::error::Error, "Ollama's protocol is not served; set STOA_OLLAMA_LISTEN to another address, or to `off`");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Programs of the same machine expect none at the address that Ollama has; from elsewhere keys would be read on the way.
pub(super) fn with_tls(listener: Listener, tls: &Arc<Tls>) -> Listener {
    if listener.local_addr().ip().is_loopback() { listener } else { listener.with_tls(Arc::clone(tls)) }
}

/// Serves until `stop`, and then for as long as the drain may take.
pub(super) fn serve(listener: Listener, app: App, hosts: Vec<String>, stop: CancellationToken, tracker: &TaskTracker) {
    let (scheme, address) = (listener.scheme(), listener.local_addr());
    let options = OllamaOptions { loopback_only: address.ip().is_loopback(), hosts };
    let service = stoa_server::ollama_application(app, options)
        .map_request(|request: http::Request<RequestBody>| request.map(axum::body::Body::new));
    tracker.spawn(listener.serve(service, stop, tracker.clone()));
    tracing::info!(%address, "Ollama's protocol at {scheme}://{address}");
}

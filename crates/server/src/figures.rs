//! What is counted and measured of HTTP, beside the register that has everybody's figures.

use std::time::Duration;

use http::{Method, StatusCode};
use stoa_telemetry::metrics::prometheus_client::metrics::counter::Counter;
use stoa_telemetry::metrics::prometheus_client::metrics::gauge::Gauge;
use stoa_telemetry::metrics::{BoundedFamily, Distribution, Labels, Metrics};

/// Those that routes take; anybody may make up others.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Figures {
    metrics: Metrics,
    requests: BoundedFamily<Labels<3>, Counter>,
    durations: BoundedFamily<Labels<2>, Distribution>,
    streams: Gauge,
}

impl Default for Figures {
    fn default() -> Self {
        Self::new(Metrics::default())
    }
}

impl Figures {
    /// Adds its own to `metrics`, from which `GET /metrics` then reads all.
    pub fn new(metrics: Metrics) -> Self {
        let other = || "other".to_owned();
        let requests = BoundedFamily::new([("route", other()), ("method", other()), ("status", other())]);
        let durations = BoundedFamily::new([("route", other()), ("method", other())]);
        let figures = Self { metrics, requests, durations, streams: Gauge::default() };
        let Self { requests, durations, streams, .. } = figures.clone();
        figures.metrics.register(|registry| {
            registry.register("http_requests", "Requests that were answered", requests);
            let name = "http_request_duration_seconds";
            registry.register(name, "From a request to the head of its answer", durations);
            registry.register("event_streams_open", "Event streams that somebody reads", streams);
        });
        figures
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// `route` is the pattern of the route, never the path.
    pub(crate) fn answered(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = if METHODS.contains(method) { method.as_str() } else { "other" };
        let (route, method) = (("route", route.to_owned()), ("method", method.to_owned()));
        self.durations.get(&[route.clone(), method.clone()]).observe(took);
        self.requests.get(&[route, method, ("status", status.as_str().to_owned())]).inc();
    }

    pub(crate) fn stream_opened(&self) -> OpenStream {
        self.streams.inc();
        OpenStream { streams: self.streams.clone() }
    }
}

/// Counts as an open stream for as long as it lives.
pub(crate) struct OpenStream {
    streams: Gauge,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.dec();
    }
}

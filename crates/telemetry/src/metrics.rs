//! Metrics: a register that anybody may add to, and its text for Prometheus.
//!
//! Whoever measures holds on to its counters, so that counting is an addition to an atomic number and no more.

mod bounded;
mod distribution;
mod process;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;

pub use bounded::BoundedFamily;
pub use distribution::{Distribution, SECONDS};
pub use prometheus_client;

/// The media type of [`Metrics::text`].
pub const TEXT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values of what a series is about.
pub type Labels<const COUNT: usize> = [(&'static str, String); COUNT];

/// Cheap to clone; all clones are one register.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Default for Metrics {
    /// Has what the kernel tells about this process.
    fn default() -> Self {
        let mut registry = Registry::with_prefix("stoa");
        registry.register_collector(Box::new(process::Process));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Adds what somebody measures. All names get the prefix `stoa_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All figures as they are now, in the format of OpenMetrics, which Prometheus reads.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_register_tells_of_the_process() {
        let text = Metrics::default().text().unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<f64>().unwrap()
        };
        assert!(value("stoa_process_resident_memory_bytes ") > 100_000.0);
        assert!(value("stoa_process_open_fds ") >= 3.0);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}

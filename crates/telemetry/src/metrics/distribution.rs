//! How durations are distributed, counted without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds in seconds: from the time between two tokens to that of a long answer.
pub const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// A histogram over [`SECONDS`]. That of `prometheus-client` takes a lock with every observation; this one adds to three
/// atomic numbers, so a reader may see an observation in the sum that is not in its bucket yet.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// One for each bound, and one for what is above all of them.
    buckets: [AtomicU64; SECONDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Distribution {
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = SECONDS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.inner.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.inner.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl TypedMetric for Distribution {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Distribution {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let bounds = SECONDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> =
            bounds.zip(self.inner.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.inner.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn durations_are_in_the_bucket_of_the_next_bound() {
        let distribution = Distribution::default();
        for millis in [0, 1, 2, 100, 700_000] {
            distribution.observe(Duration::from_millis(millis));
        }
        let metrics = Metrics::default();
        metrics.register(|registry| registry.register("waits", "Waits", distribution));
        let text = metrics.text().unwrap();
        for line in [
            "stoa_waits_bucket{le=\"0.001\"} 2",
            "stoa_waits_bucket{le=\"0.0025\"} 3",
            "stoa_waits_bucket{le=\"0.1\"} 4",
            "stoa_waits_bucket{le=\"600.0\"} 4",
            "stoa_waits_bucket{le=\"+Inf\"} 5",
            "stoa_waits_count 5",
            "stoa_waits_sum 700.103",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}

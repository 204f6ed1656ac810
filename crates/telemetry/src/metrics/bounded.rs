//! Figures by labels, of which there are only so many.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;

/// Series of one name that are kept apart; a server of metrics that is sent more than that suffers.
const MOST_SERIES: usize = 2_000;

/// What comes after the first [`MOST_SERIES`] label sets is counted under one that stands for the rest.
#[derive(Clone, Debug)]
pub struct BoundedFamily<L, M> {
    family: Family<L, M>,
    rest: L,
    series: Arc<AtomicUsize>,
}

impl<L, M> BoundedFamily<L, M>
where
    L: Clone + Debug + Hash + Eq,
    M: Clone + Default,
{
    pub fn new(rest: L) -> Self {
        Self { family: Family::default(), rest, series: Arc::default() }
    }

    /// To be held on to by whoever counts more than once.
    pub fn get(&self, labels: &L) -> M {
        if let Some(known) = self.family.get(labels) {
            return known.clone();
        }
        let full = self.series.fetch_add(1, Ordering::Relaxed) >= MOST_SERIES;
        self.family.get_or_create_owned(if full { &self.rest } else { labels })
    }
}

impl<L, M> EncodeMetric for BoundedFamily<L, M>
where
    L: Clone + Debug + Hash + Eq + EncodeLabelSet,
    M: EncodeMetric + Default,
    Family<L, M>: EncodeMetric,
{
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.family.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.family.metric_type()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn there_are_never_more_series_than_so_many() {
        let label = |number: usize| vec![("number".to_owned(), number.to_string())];
        let rest = vec![("number".to_owned(), "other".to_owned())];
        let family: BoundedFamily<_, Counter> = BoundedFamily::new(rest.clone());
        for number in 0..MOST_SERIES * 2 {
            family.get(&label(number)).inc();
        }
        assert_eq!(family.get(&rest).get(), u64::try_from(MOST_SERIES).unwrap());
        assert_eq!(family.get(&label(7)).get(), 1, "those that were there first go on");
    }
}

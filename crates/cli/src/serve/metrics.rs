//! The figures of local models, read from their runtime whenever somebody asks for them.

use std::fmt;
use std::sync::Arc;

use stoa_dispatch::Dispatch;
use stoa_models::{DeviceStatus, LaneStatus, Runtime, RuntimeStatus};
use stoa_server::Figures;
use stoa_telemetry::metrics::Metrics;
use stoa_telemetry::metrics::prometheus_client::collector::Collector;
use stoa_telemetry::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use stoa_telemetry::metrics::prometheus_client::metrics::counter::ConstCounter;
use stoa_telemetry::metrics::prometheus_client::metrics::gauge::ConstGauge;

/// Everybody's figures in one register.
pub(super) fn gather(dispatch: &Dispatch, runtime: &Arc<Runtime>) -> Figures {
    let metrics = Metrics::default();
    metrics.register(|registry| {
        dispatch.register_metrics(registry);
        registry.register_collector(Box::new(LocalModels { runtime: Arc::clone(runtime) }));
    });
    Figures::new(metrics)
}

struct LocalModels {
    runtime: Arc<Runtime>,
}

impl fmt::Debug for LocalModels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalModels").finish_non_exhaustive()
    }
}

/// A figure of each model that has a lane.
type OfLane = (&'static str, &'static str, fn(&LaneStatus) -> u64);

const OF_LANES: [OfLane; 9] = [
    ("local_model_queued", "Requests that wait for the model", |lane| count(lane.queued)),
    ("local_model_running", "Requests that its worker is at work on", |lane| count(lane.running)),
    ("local_model_slots", "Requests that its worker takes at once; 0 when it is not loaded", |lane| lane.slots.into()),
    ("local_model_context_tokens", "Tokens whose keys and values its worker holds", |lane| lane.context_tokens),
    ("local_model_context_tokens_most", "Tokens whose keys and values its worker has room for", |lane| {
        u64::from(lane.slots) * u64::from(lane.context_window)
    }),
    ("local_model_resident_bytes", "Memory of its worker in use", |lane| lane.resident_bytes.unwrap_or(0)),
    ("local_model_device_bytes", "What its worker has on devices", |lane| {
        lane.devices.iter().map(|share| share.bytes).sum()
    }),
    ("local_model_device_layers", "Layers of it on devices", |lane| {
        lane.devices.iter().map(|share| u64::from(share.layers)).sum()
    }),
    ("local_model_estimated_bytes", "What its worker was expected to take", |lane| lane.estimated_bytes.unwrap_or(0)),
];

/// A figure of each device.
type OfDevice = (&'static str, &'static str, fn(&DeviceStatus) -> u64);

const OF_DEVICES: [OfDevice; 4] = [
    ("local_models_device_total_bytes", "Memory of the device", |device| device.device.total_bytes),
    ("local_models_device_free_bytes", "What its driver last said is free of it", |device| device.device.free_bytes),
    ("local_models_device_bound_bytes", "What all local models may take of it together", |device| device.bound_bytes),
    ("local_models_device_used_bytes", "What they take of it", |device| device.models_bytes),
];

impl Collector for LocalModels {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.runtime.status();
        for (name, help, figure) in OF_LANES {
            of_lanes(&mut encoder, &status, name, help, figure)?;
        }
        for (name, help, figure) in OF_DEVICES {
            of_devices(&mut encoder, &status, name, help, figure)?;
        }
        let bound = ConstGauge::new(status.memory_bytes);
        one(&mut encoder, "local_models_memory_bound_bytes", "What all local models may take together", &bound)?;
        let totals = status.totals;
        for (name, help, total) in [
            ("local_model_loads", "Models that were loaded", totals.loads),
            ("local_model_failures", "Workers that could not load, died or hung", totals.failures),
            (
                "local_model_device_fallbacks",
                "Loads that were tried again with fewer layers on devices",
                totals.fallbacks,
            ),
            ("local_model_unloads", "Workers that ended in order", totals.unloads),
            ("local_model_evictions", "Models that were unloaded to make room for others", status.evictions),
            ("local_model_requests_begun", "Requests that left the queue for a worker", totals.begun),
        ] {
            one(&mut encoder, name, help, &ConstCounter::new(total))?;
        }
        for (name, help, total) in [
            ("local_model_load_seconds", "How long all loads took together", totals.loading),
            ("local_model_wait_seconds", "How long all begun requests had waited together", totals.waiting),
        ] {
            one(&mut encoder, name, help, &ConstCounter::new(total.as_secs_f64()))?;
        }
        Ok(())
    }
}

fn of_lanes(
    encoder: &mut DescriptorEncoder<'_>,
    status: &RuntimeStatus,
    name: &str,
    help: &str,
    figure: impl Fn(&LaneStatus) -> u64,
) -> Result<(), fmt::Error> {
    let kind = ConstGauge::new(0_u64).metric_type();
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    for lane in &status.lanes {
        // By name, of which the store has so many and no more.
        let labels = [("model", lane.model.as_str())];
        ConstGauge::new(figure(lane)).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn of_devices(
    encoder: &mut DescriptorEncoder<'_>,
    status: &RuntimeStatus,
    name: &str,
    help: &str,
    figure: impl Fn(&DeviceStatus) -> u64,
) -> Result<(), fmt::Error> {
    let kind = ConstGauge::new(0_u64).metric_type();
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    for device in &status.devices {
        let labels = [("device", device.device.name.as_str()), ("engine", device.engine.as_str())];
        ConstGauge::new(figure(device)).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn one(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Result<(), fmt::Error> {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

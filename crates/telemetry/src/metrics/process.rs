//! What the kernel tells about this process, read when it is asked for.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = [
            (
                "process_resident_memory_bytes",
                "Memory of the server in use, without its model workers",
                resident_bytes(),
            ),
            ("process_open_fds", "Files and sockets that the server has open", open_descriptors()),
        ];
        for (name, help, figure) in figures {
            // What the system does not tell is not in the text.
            if let Some(figure) = figure {
                let gauge = ConstGauge::new(figure);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1_024)
}

fn open_descriptors() -> Option<i64> {
    // One of them is the listing itself.
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1)).ok()
}

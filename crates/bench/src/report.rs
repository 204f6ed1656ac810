//! What was measured, a line a case.

use std::io::{self, Write as _};

use serde::Serialize;

/// One figure beside that of its peer, floor or target.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) bench: &'static str,
    pub(crate) case: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) peer_value: f64,
    /// More than 1: better than the peer.
    pub(crate) ratio: f64,
    pub(crate) runs: usize,
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

impl Line {
    pub(crate) fn new(
        case: &'static str,
        (value, unit): (f64, &'static str),
        (peer, peer_value): (&'static str, f64),
        better: Better,
        runs: usize,
    ) -> Self {
        let ratio = match better {
            // Nothing lost where nothing may be lost is as good as asked for.
            Better::Lower if value <= 0.0 && peer_value <= 0.0 => 1.0,
            Better::Lower => peer_value / value,
            Better::Higher => value / peer_value,
        };
        Self { bench: "chat", case, value, unit, peer, peer_value, ratio, runs }
    }

    /// The same figure of another bench than the chat's.
    pub(crate) const fn of(self, bench: &'static str) -> Self {
        Self { bench, ..self }
    }
}

pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a line at once: a long bench shows how far it is.
    pub(crate) fn add(&mut self, line: &Line) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        } else {
            writeln!(
                out,
                "{:<6} {:<26} {:>10} {:<12} {:>20} {:>10} {:>8}x {:>5} runs",
                line.bench,
                line.case,
                figures(line.value),
                line.unit,
                line.peer,
                figures(line.peer_value),
                figures(line.ratio),
                line.runs,
            )?;
        }
        out.flush()
    }

    /// A word to the person at the terminal; results alone go to standard output.
    pub(crate) fn say(text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Three figures that matter, and whole numbers as they are.
fn figures(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// The middle of what was measured; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle), middle.checked_sub(1).and_then(|below| sorted.get(below))) {
        (0, Some(above), Some(below)) => f64::midpoint(*above, *below),
        (_, Some(middle), _) => *middle,
        _ => f64::NAN,
    }
}

/// What this part of the values is at most.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few values")]
pub(crate) fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * part).ceil().max(1.0) as usize - 1;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes far below 2^53")]
pub(crate) const fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_better_than_the_peer() {
        let close = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(close(Line::new("start", (50.0, "ms"), ("target", 100.0), Better::Lower, 1).ratio, 2.0));
        assert!(close(Line::new("decode", (50.0, "tokens/s"), ("raw", 100.0), Better::Higher, 1).ratio, 0.5));
        assert!(close(Line::new("lost", (0.0, "tokens"), ("target", 0.0), Better::Lower, 1).ratio, 1.0));
        assert!(close(Line::new("lost", (4.0, "tokens"), ("target", 0.0), Better::Lower, 1).ratio, 0.0));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&hundred, 0.99) - 99.0).abs() < 1e-9);
        assert!((percentile(&[7.0], 0.99) - 7.0).abs() < 1e-9);
    }
}

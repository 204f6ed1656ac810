//! The latest hours, in steps.

use stoa_model::Timestamp;

use crate::problem::{Problem, Result};

const HOUR_MS: i64 = 3_600_000;

pub(super) struct Window {
    /// Where the first step begins.
    pub(super) since: Timestamp,
    pub(super) step_ms: i64,
}

impl Window {
    /// The latest `hours`, 24 when absent.
    pub(super) fn of(hours: Option<u32>, most: u32, now: Timestamp) -> Result<Self> {
        let hours = hours.unwrap_or(24);
        if !(1..=most).contains(&hours) {
            return Err(Problem::field("hours", format!("Use 1 to {most}.")));
        }
        let step_ms = step(hours);
        let since = now.as_millis() - i64::from(hours) * HOUR_MS;
        Ok(Self { since: Timestamp::from_millis(since.div_euclid(step_ms) * step_ms), step_ms })
    }
}

/// At most some hundred.
const fn step(hours: u32) -> i64 {
    match hours {
        0..=3 => 60_000,
        4..=48 => 10 * 60_000,
        49..=168 => HOUR_MS,
        169..=720 => 4 * HOUR_MS,
        _ => 24 * HOUR_MS,
    }
}

//! Durations as Go's package time documents them: `1h30m`, `-1.5s`, `300ms`.

use std::fmt;
use std::time::Duration;

/// A span of time in nanoseconds, which may be negative: 292 years at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    pub nanoseconds: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("{text:?} is no duration; write for example \"10m\" or \"1h30m\"")]
    Invalid { text: String },
    #[error("{text:?} has no unit; write for example \"10m\" or \"300s\"")]
    NoUnit { text: String },
    #[error("{text:?} is too long")]
    OutOfRange { text: String },
}

/// The longest text worth reading.
const MAX_BYTES: usize = 128;

const MICROSECOND: i128 = 1_000;
const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;

impl GoDuration {
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let shown = || text.chars().take(40).collect::<String>();
        let invalid = || DurationError::Invalid { text: shown() };
        if text.len() > MAX_BYTES {
            return Err(invalid());
        }
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self { nanoseconds: 0 });
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut sum = 0_i128;
        while !rest.is_empty() {
            let (whole, after) = digits(rest);
            let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let end = after.find(|next: char| next == '.' || next.is_ascii_digit()).unwrap_or(after.len());
            let unit = match &after[..end] {
                "" => return Err(DurationError::NoUnit { text: shown() }),
                "ns" => 1,
                // Both signs that are taken for micro.
                "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
                "ms" => MILLISECOND,
                "s" => SECOND,
                "m" => MINUTE,
                "h" => HOUR,
                _ => return Err(invalid()),
            };
            rest = &after[end..];
            let out_of_range = || DurationError::OutOfRange { text: shown() };
            let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| out_of_range())? };
            sum += i128::from(whole) * unit + part(fraction, unit);
            if sum > -i128::from(i64::MIN) {
                return Err(out_of_range());
            }
        }
        let nanoseconds = if negative { -sum } else { sum };
        i64::try_from(nanoseconds)
            .map(|nanoseconds| Self { nanoseconds })
            .map_err(|_| DurationError::OutOfRange { text: shown() })
    }

    /// `None` when it is negative.
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.nanoseconds).ok().map(Duration::from_nanos)
    }
}

/// The digits at the beginning, and what follows.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()))
}

/// The nanoseconds of a fraction; digits too small to matter are dropped.
fn part(fraction: &str, unit: i128) -> i128 {
    // Below the 18th digit, not even an hour has a nanosecond left.
    let digits = &fraction[..fraction.len().min(18)];
    let scale = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(0));
    digits.parse::<i128>().unwrap_or(0) * unit / scale
}

/// As Go writes it: `1h30m0s`, `1.5s`, `2ms`, `0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = i128::from(self.nanoseconds).abs();
        if self.nanoseconds < 0 {
            formatter.write_str("-")?;
        }
        match magnitude {
            0 => formatter.write_str("0s"),
            1..MICROSECOND => write!(formatter, "{magnitude}ns"),
            MICROSECOND..MILLISECOND => write!(formatter, "{}µs", decimal(magnitude, MICROSECOND)),
            MILLISECOND..SECOND => write!(formatter, "{}ms", decimal(magnitude, MILLISECOND)),
            _ => {
                let (hours, minutes) = (magnitude / HOUR, magnitude % HOUR / MINUTE);
                if hours > 0 {
                    write!(formatter, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(formatter, "{minutes}m")?;
                }
                write!(formatter, "{}s", decimal(magnitude % MINUTE, SECOND))
            }
        }
    }
}

fn decimal(value: i128, unit: i128) -> String {
    let fraction = value % unit;
    if fraction == 0 {
        return (value / unit).to_string();
    }
    let width = unit.to_string().len() - 1;
    format!("{}.{}", value / unit, format!("{fraction:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_written_as_in_go() {
        for (text, nanoseconds, written) in [
            ("0", 0, "0s"),
            ("10m", 600_000_000_000, "10m0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("-1m", -60_000_000_000, "-1m0s"),
            ("+5s", 5_000_000_000, "5s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            (".5ms", 500_000, "500µs"),
            ("1.s", 1_000_000_000, "1s"),
            ("100µs", 100_000, "100µs"),
            ("100\u{3bc}s", 100_000, "100µs"),
            ("7ns", 7, "7ns"),
            ("1h0m0.000000001s", 3_600_000_000_001, "1h0m0.000000001s"),
            ("-9223372036854775808ns", i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            let duration = GoDuration::parse(text).unwrap();
            assert_eq!((duration.nanoseconds, duration.to_string().as_str()), (nanoseconds, written), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "-", "m", ".", "10 m", "1d", "3x", "s1", "--1s", "1h-5m", "é"] {
            assert!(matches!(GoDuration::parse(text), Err(DurationError::Invalid { .. })), "{text:?}");
        }
        for text in ["300", "1.2.3s", "1h5"] {
            assert!(matches!(GoDuration::parse(text), Err(DurationError::NoUnit { .. })), "{text:?}");
        }
        for text in ["9223372036854775808ns", "99999999999999999999h", "3000000h"] {
            assert!(matches!(GoDuration::parse(text), Err(DurationError::OutOfRange { .. })), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanoseconds in any::<i64>()) {
            let duration = GoDuration { nanoseconds };
            prop_assert_eq!(GoDuration::parse(&duration.to_string()), Ok(duration));
        }

        #[test]
        fn any_text_is_survived(text in "[-+0-9.hmsnuµ é]{0,30}") {
            let _ = GoDuration::parse(&text);
        }
    }
}

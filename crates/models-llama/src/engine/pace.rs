//! How many tokens of prompts a step may compute, from how fast earlier ones were.

use std::time::Duration;

/// How long a step may take while others wait for their next token, if more of them decode than have a prompt left.
const SHARED: Duration = Duration::from_millis(100);

/// Where more have a prompt left than decode, a step may take up to so many times as long.
const LONGEST: usize = 3;

/// How long a step may take when nobody decodes: a cancellation waits for it.
const UNSHARED: Duration = Duration::from_millis(500);

/// Below this, a call reads the whole model for too little.
const FEWEST: usize = 16;

#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds that a token of a prompt takes, as an average that forgets.
    per_token: f64,
    most: usize,
}

impl Pace {
    /// Before anything is measured, the size of the model is all there is to go by.
    pub(super) const fn new(parameters: u64, most: usize) -> Self {
        let per_token = match parameters {
            0..1_000_000_000 => 0.002,
            1_000_000_000..4_000_000_000 => 0.01,
            4_000_000_000..16_000_000_000 => 0.05,
            _ => 0.2,
        };
        Self { per_token, most }
    }

    /// A call with so many tokens took so long. Small ones tell nothing: most of their time is reading the model.
    pub(super) fn note(&mut self, tokens: usize, took: Duration) {
        if let Ok(tokens @ 16..) = u32::try_from(tokens) {
            self.per_token = 0.7f64.mul_add(self.per_token, 0.3 * took.as_secs_f64() / f64::from(tokens));
        }
    }

    /// Tokens of prompts in the next step: a power of two, so that equal prompts are mostly cut alike.
    /// So many sequences have a prompt left, and so many decode meanwhile.
    pub(super) fn prompts(&self, prompts: usize, decoding: usize) -> usize {
        let time = match prompts.checked_div(decoding) {
            None => UNSHARED,
            Some(times) => SHARED * u32::try_from(times.clamp(1, LONGEST)).unwrap_or(1),
        };
        let mut tokens = FEWEST;
        let mut takes = self.per_token * 16.0;
        while takes * 2.0 <= time.as_secs_f64() && tokens * 2 <= self.most {
            tokens *= 2;
            takes *= 2.0;
        }
        tokens.min(self.most).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_about_as_long_as_it_may() {
        let mut pace = Pace::new(135_000_000, 512);
        for _ in 0..50 {
            pace.note(64, Duration::from_millis(160));
            pace.note(1, Duration::from_millis(90));
        }
        // 2.5 ms a token.
        assert_eq!((pace.prompts(1, 1), pace.prompts(1, 0)), (32, 128));
        assert_eq!((pace.prompts(2, 9), pace.prompts(9, 2)), (32, 64), "a crowd at the door gets in sooner");
        for _ in 0..50 {
            pace.note(64, Duration::from_micros(640));
        }
        assert_eq!((pace.prompts(1, 1), pace.prompts(1, 0)), (512, 512));
        for _ in 0..50 {
            pace.note(64, Duration::from_secs(64));
        }
        assert_eq!((pace.prompts(1, 1), pace.prompts(1, 0)), (16, 16));
        assert_eq!(Pace::new(1, 8).prompts(1, 1), 8, "a context may be smaller than that");
    }
}

//! How the next token of an answer is chosen.

use serde::{Deserialize, Serialize};
use stoa_model::completion::{LocalOptions, Parameters};

/// What the request leaves open has llama.cpp's own defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// 0 always takes the likeliest token.
    pub temperature: f32,
    /// 0 leaves all tokens in.
    pub top_k: u16,
    pub top_p: f32,
    pub min_p: f32,
    pub typical_p: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    /// 1 is none. Unlike the other two, it looks at the prompt, too.
    pub repeat_penalty: f32,
    /// How many tokens back penalties look; the whole context when absent.
    pub repeat_last_n: Option<u32>,
    pub seed: u32,
}

/// A sampling value outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}` must be between {minimum} and {maximum}")]
pub struct SamplingOutOfRange {
    pub name: &'static str,
    pub minimum: f32,
    pub maximum: f32,
}

const MAX_TOP_K: u16 = 1_000;

impl Sampling {
    /// Takes what `parameters` and `local` set; the caller has checked their ranges.
    #[expect(clippy::cast_possible_truncation, reason = "values of a few units lose nothing that a sampler notices")]
    pub fn new(parameters: &Parameters, local: &LocalOptions, seed: u32) -> Self {
        Self {
            temperature: parameters.temperature.unwrap_or(0.8) as f32,
            top_k: local.top_k.map_or(40, |top_k| u16::try_from(top_k).unwrap_or(MAX_TOP_K)),
            top_p: parameters.top_p.unwrap_or(0.95) as f32,
            min_p: local.min_p.unwrap_or(0.05) as f32,
            typical_p: local.typical_p.unwrap_or(1.0) as f32,
            presence_penalty: parameters.presence_penalty.unwrap_or(0.0) as f32,
            frequency_penalty: parameters.frequency_penalty.unwrap_or(0.0) as f32,
            repeat_penalty: local.repeat_penalty.unwrap_or(1.0) as f32,
            // -1 is the whole context.
            repeat_last_n: local.repeat_last_n.and_then(|last| u32::try_from(last).ok()),
            seed,
        }
    }

    /// Refuses what the sampler must never see, NaN among it. The worker checks again what the server has checked.
    pub fn check(&self) -> Result<(), SamplingOutOfRange> {
        for (name, value, minimum, maximum) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_k", f32::from(self.top_k), 0.0, f32::from(MAX_TOP_K)),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("typical_p", self.typical_p, 0.0, 1.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("repeat_penalty", self.repeat_penalty, 0.1, 10.0),
        ] {
            if !(minimum..=maximum).contains(&value) {
                return Err(SamplingOutOfRange { name, minimum, maximum });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_never_sees_a_value_out_of_range() {
        let sampling = Sampling::new(&Parameters::default(), &LocalOptions::default(), 1);
        assert!(sampling.check().is_ok());
        assert!(Sampling { temperature: f32::NAN, ..sampling }.check().is_err());
        assert!(Sampling { top_p: -0.1, ..sampling }.check().is_err());
        assert!(Sampling { presence_penalty: f32::INFINITY, ..sampling }.check().is_err());
        assert!(Sampling { top_k: 1_001, ..sampling }.check().is_err());
        assert!(Sampling { typical_p: 1.1, ..sampling }.check().is_err());
        assert!(Sampling { repeat_penalty: 0.0, ..sampling }.check().is_err());
    }

    #[test]
    fn whatever_options_pass_their_check_the_sampler_takes() {
        let extremes = LocalOptions {
            top_k: Some(1_000),
            min_p: Some(1.0),
            typical_p: Some(0.0),
            // In 32 bits this is a little less than 0.1 would be, and must still be taken.
            repeat_penalty: Some(0.1),
            repeat_last_n: Some(-1),
            ..LocalOptions::default()
        };
        assert!(extremes.check().is_ok());
        let sampling = Sampling::new(&Parameters::default(), &extremes, 1);
        assert!(sampling.check().is_ok());
        assert_eq!(sampling.repeat_last_n, None);
    }
}

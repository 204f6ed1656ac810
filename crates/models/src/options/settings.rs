//! What options mean for a call.

use stoa_model::completion::{CompletionRequest, LocalOptions, Parameters};

use super::ModelOptions;

/// The fields of a call that options set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub parameters: Parameters,
    pub local: LocalOptions,
    pub stop: Vec<String>,
    pub seed: Option<u32>,
}

impl From<&ModelOptions> for Settings {
    fn from(options: &ModelOptions) -> Self {
        let sampling = &options.sampling;
        let bound = options.load.num_ctx.and_then(|tokens| i32::try_from(tokens).ok());
        // Below zero: as long as the model likes, but not past the context that was asked for.
        let longest = sampling.num_predict.filter(|tokens| *tokens > 0).or(bound);
        Self {
            parameters: Parameters {
                temperature: sampling.temperature.map(f64::from),
                top_p: sampling.top_p.map(f64::from),
                presence_penalty: sampling.presence_penalty.map(f64::from),
                frequency_penalty: sampling.frequency_penalty.map(f64::from),
                max_tokens: longest.and_then(|tokens| u32::try_from(tokens).ok()),
            },
            local: LocalOptions {
                top_k: sampling.top_k,
                min_p: sampling.min_p.map(f64::from),
                typical_p: sampling.typical_p.map(f64::from),
                repeat_penalty: sampling.repeat_penalty.map(f64::from),
                repeat_last_n: sampling.repeat_last_n,
                ..LocalOptions::default()
            },
            stop: sampling.stop.clone().unwrap_or_default(),
            seed: sampling.seed.filter(|seed| *seed >= 0).map(seed),
        }
    }
}

impl Settings {
    /// Lays these under a request: they hold where it says nothing.
    pub(crate) fn lay_under(&self, request: &mut CompletionRequest) {
        let (own, asked) = (&self.parameters, &mut request.parameters);
        asked.temperature = asked.temperature.or(own.temperature);
        asked.top_p = asked.top_p.or(own.top_p);
        asked.presence_penalty = asked.presence_penalty.or(own.presence_penalty);
        asked.frequency_penalty = asked.frequency_penalty.or(own.frequency_penalty);
        asked.max_tokens = asked.max_tokens.or(own.max_tokens);
        let (own, asked) = (&self.local, &mut request.local);
        asked.top_k = asked.top_k.or(own.top_k);
        asked.min_p = asked.min_p.or(own.min_p);
        asked.typical_p = asked.typical_p.or(own.typical_p);
        asked.repeat_penalty = asked.repeat_penalty.or(own.repeat_penalty);
        asked.repeat_last_n = asked.repeat_last_n.or(own.repeat_last_n);
        if request.stop.is_empty() {
            request.stop.clone_from(&self.stop);
        }
        request.seed = request.seed.or(self.seed);
    }
}

/// The sampler takes 32 bits; larger seeds are folded, so that each still means one text.
fn seed(seed: i64) -> u32 {
    let bits = seed.cast_unsigned();
    u32::try_from((bits ^ (bits >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

//! The chain that chooses the next token, in llama.cpp's own order.

use llama_cpp_2::sampling::LlamaSampler;
use stoa_models::protocol::Sampling;

/// llama.cpp takes this seed for "any".
const ANY_SEED: u32 = u32::MAX;

/// `vocabulary` is the number of tokens there are; `window` bounds how far back penalties look: as far as there is anything to see.
pub(super) fn chain(sampling: &Sampling, vocabulary: i32, window: u32) -> LlamaSampler {
    let mut samplers = Vec::new();
    // A penalty looks at every token of the vocabulary, so it is left out when it would change nothing.
    if sampling.presence_penalty != 0.0 || sampling.frequency_penalty != 0.0 {
        let last = i32::try_from(window).unwrap_or(i32::MAX);
        samplers.push(LlamaSampler::penalties(
            vocabulary,
            last,
            1.0,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ));
    }
    if sampling.temperature == 0.0 {
        samplers.push(LlamaSampler::greedy());
    } else {
        samplers.extend([
            LlamaSampler::top_k(i32::from(sampling.top_k)),
            LlamaSampler::top_p(sampling.top_p, 1),
            LlamaSampler::min_p(sampling.min_p, 1),
            LlamaSampler::temp(sampling.temperature),
            LlamaSampler::dist(sampling.seed.min(ANY_SEED - 1)),
        ]);
    }
    LlamaSampler::chain(samplers, true)
}

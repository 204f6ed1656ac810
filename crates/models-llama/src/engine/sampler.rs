//! How the next token is chosen, in llama.cpp's own order.

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use stoa_models::protocol::Sampling;

/// llama.cpp takes this seed for "any".
const ANY_SEED: u32 = u32::MAX;

pub(super) enum Chooser {
    /// The likeliest token, and nothing to look at beside it: llama.cpp's chain would first copy the whole vocabulary.
    Likeliest,
    Chain(LlamaSampler),
}

impl Chooser {
    /// `vocabulary` is the number of tokens there are; `window` bounds how far back penalties look: as far as there is
    /// anything to see.
    pub(super) fn new(sampling: &Sampling, prompt: &[LlamaToken], vocabulary: i32, window: u32) -> Self {
        let mut samplers = Vec::new();
        let last = sampling.repeat_last_n.unwrap_or(window).min(window);
        let repeat = sampling.repeat_penalty - 1.0;
        let penalties = [sampling.presence_penalty, sampling.frequency_penalty, repeat];
        // A penalty looks at every token of the vocabulary, so it is left out when it would change nothing.
        if last > 0 && penalties.iter().any(|penalty| *penalty != 0.0) {
            samplers.push(LlamaSampler::penalties(
                vocabulary,
                i32::try_from(last).unwrap_or(i32::MAX),
                sampling.repeat_penalty,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            ));
        }
        if sampling.temperature == 0.0 {
            if samplers.is_empty() {
                return Self::Likeliest;
            }
            samplers.push(LlamaSampler::greedy());
        } else {
            samplers.push(LlamaSampler::top_k(i32::from(sampling.top_k)));
            if sampling.typical_p < 1.0 {
                samplers.push(LlamaSampler::typical(sampling.typical_p, 1));
            }
            samplers.extend([
                LlamaSampler::top_p(sampling.top_p, 1),
                LlamaSampler::min_p(sampling.min_p, 1),
                LlamaSampler::temp(sampling.temperature),
                LlamaSampler::dist(sampling.seed.min(ANY_SEED - 1)),
            ]);
        }
        let mut chain = LlamaSampler::chain(samplers, true);
        // What OpenAI's penalties look at is the answer; llama.cpp's own looks at the prompt, too.
        if repeat != 0.0 {
            let last = usize::try_from(last).unwrap_or(usize::MAX);
            chain.accept_many(&prompt[prompt.len().saturating_sub(last)..]);
        }
        Self::Chain(chain)
    }

    /// The token that follows, by how likely each is; `None` when there is none to choose.
    pub(super) fn choose(&mut self, logits: &[f32]) -> Option<LlamaToken> {
        match self {
            Self::Likeliest => Some(likeliest(logits)),
            Self::Chain(_) => self.choose_among(logits, |_| true),
        }
    }

    /// The same of those tokens alone that are allowed; `None` when there are none.
    pub(super) fn choose_among(&mut self, logits: &[f32], allowed: impl Fn(LlamaToken) -> bool) -> Option<LlamaToken> {
        let candidates = (0..).map(LlamaToken).zip(logits).filter(|(token, _)| allowed(*token));
        match self {
            Self::Likeliest => candidates.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(token, _)| token),
            Self::Chain(chain) => {
                let candidates = candidates.map(|(token, logit)| LlamaTokenData::new(token, *logit, 0.0));
                let mut candidates = LlamaTokenDataArray::from_iter(candidates, false);
                if candidates.data.is_empty() {
                    return None;
                }
                chain.apply(&mut candidates);
                let token = candidates.selected_token()?;
                chain.accept(token);
                Some(token)
            }
        }
    }
}

fn likeliest(logits: &[f32]) -> LlamaToken {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let token = logits.iter().position(|logit| *logit >= most).unwrap_or(0);
    LlamaToken(i32::try_from(token).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equals_the_first_is_the_likeliest() {
        assert_eq!(likeliest(&[0.5, 2.0, -1.0, 2.0]), LlamaToken(1));
        assert_eq!(likeliest(&[f32::NAN, 1.0]), LlamaToken(1));
        assert_eq!(likeliest(&[f32::NAN]), LlamaToken(0));
    }
}

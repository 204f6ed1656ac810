//! What a sequence says, on its way out: whole characters, no stop strings, and how likely its tokens were.

use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use stoa_model::completion::{LogProb, TokenLogProb};
use stoa_models::protocol::Report;
use stoa_models::text::{StopFilter, Utf8Joiner};

pub(super) struct Output {
    sequence: u64,
    joiner: Utf8Joiner,
    stops: StopFilter,
    /// Tokens whose text has not been sent yet.
    tokens: u32,
    logprobs: Vec<TokenLogProb>,
}

impl Output {
    pub(super) fn new(sequence: u64, stop: Vec<String>) -> Self {
        Self { sequence, joiner: Utf8Joiner::default(), stops: StopFilter::new(stop), tokens: 0, logprobs: Vec::new() }
    }

    pub(super) const fn is_stopped(&self) -> bool {
        self.stops.is_stopped()
    }

    pub(super) fn push(&mut self, bytes: &[u8], logprob: Option<TokenLogProb>, reports: &mut Vec<Report>) {
        self.tokens += 1;
        self.logprobs.extend(logprob);
        let text = self.joiner.push(bytes);
        let text = self.stops.push(&text);
        self.send(text, reports);
    }

    pub(super) fn finish(&mut self, reports: &mut Vec<Report>) {
        let rest = self.joiner.finish();
        let mut text = self.stops.push(&rest);
        text.push_str(&self.stops.finish());
        self.send(text, reports);
    }

    fn send(&mut self, text: String, reports: &mut Vec<Report>) {
        if !text.is_empty() {
            let tokens = std::mem::take(&mut self.tokens);
            let logprobs = std::mem::take(&mut self.logprobs);
            reports.push(Report::Piece { sequence: self.sequence, text, tokens, logprobs });
        }
    }
}

/// How likely `token` was by `logits`, beside the `top` likeliest.
pub(super) fn logprob(vocabulary: &LlamaVocab<'_>, logits: &[f32], token: LlamaToken, top: u8) -> TokenLogProb {
    let total = total(logits);
    let describe = |index: usize| {
        let token = LlamaToken(i32::try_from(index).unwrap_or(0));
        let bytes = vocabulary.token_to_piece(token, true, None);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let logprob = logits.get(index).map_or(f32::MIN, |logit| (logit - total).max(f32::MIN));
        LogProb { text, bytes, logprob }
    };
    TokenLogProb {
        token: describe(usize::try_from(token.0).unwrap_or(0)),
        top: likeliest(logits, usize::from(top)).into_iter().map(describe).collect(),
    }
}

/// The logarithm of the sum of all exponentials.
fn total(logits: &[f32]) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    most + logits.iter().map(|logit| (logit - most).exp()).sum::<f32>().ln()
}

/// The places of the largest, the largest first.
fn likeliest(logits: &[f32], count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for (index, logit) in logits.iter().enumerate() {
        if best.len() == count && best.last().is_none_or(|last| *logit <= logits[*last]) {
            continue;
        }
        let place = best.partition_point(|other| logits[*other] >= *logit);
        best.insert(place, index);
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_in_their_order() {
        let logits = [0.0, 3.0, 1.0, 3.0, 2.0];
        assert_eq!(likeliest(&logits, 3), [1, 3, 4]);
        assert_eq!(likeliest(&logits, 0), [0_usize; 0]);
        assert_eq!(likeliest(&logits, 9).len(), 5);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let logits = [1.0_f32, 90.0, -4.0, 89.0];
        let total = total(&logits);
        let sum: f32 = logits.iter().map(|logit| (logit - total).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}

//! How likely the tokens of an answer were, as OpenAI writes it.

use serde::Serialize;
use stoa_model::completion::{LogProb, TokenLogProb};

#[derive(Serialize)]
pub(super) struct WireLogProbs<'a> {
    content: Vec<WireToken<'a>>,
    refusal: (),
}

#[derive(Serialize)]
struct WireToken<'a> {
    #[serde(flatten)]
    token: WireChance<'a>,
    top_logprobs: Vec<WireChance<'a>>,
}

#[derive(Serialize)]
struct WireChance<'a> {
    token: &'a str,
    logprob: f32,
    bytes: &'a [u8],
}

impl<'a> WireLogProbs<'a> {
    /// `None`, which is `null`, when nothing is known.
    pub(super) fn new(tokens: &'a [TokenLogProb]) -> Option<Self> {
        let token = |token: &'a TokenLogProb| WireToken {
            token: chance(&token.token),
            top_logprobs: token.top.iter().map(chance).collect(),
        };
        (!tokens.is_empty()).then(|| Self { content: tokens.iter().map(token).collect(), refusal: () })
    }
}

fn chance(chance: &LogProb) -> WireChance<'_> {
    WireChance { token: &chance.text, logprob: chance.logprob, bytes: &chance.bytes }
}

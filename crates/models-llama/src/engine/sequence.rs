//! One running sequence: how it chooses its tokens, what it has said, and when it ends.

use std::collections::VecDeque;
use std::time::Instant;

use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use stoa_model::completion::Usage;
use stoa_models::protocol::{Outcome, Report};

use super::context::Context;
use super::glance::Glance;
use super::guide::Guide;
use super::output::{Output, logprob};
use super::sampler::Chooser;

pub(super) struct Sequence {
    pub(super) number: u64,
    /// Its place in the context.
    pub(super) slot: usize,
    /// Whose it is; all that belong to nobody in particular belong together.
    pub(super) owner: Option<String>,
    /// It asked to share no call with others.
    pub(super) alone: bool,
    /// A call that it shared has failed. It is computed alone once, to find out whose fault that was.
    pub(super) suspect: bool,
    pub(super) chooser: Chooser,
    /// The images of its prompt that are not computed yet.
    pub(super) glances: VecDeque<Glance>,
    /// The position of the next token of its answer.
    pub(super) next: i32,
    /// What the answer must look like.
    pub(super) guide: Option<Box<Guide>>,
    /// Tokens whose text is shown although they are special.
    pub(super) marks: Vec<LlamaToken>,
    pub(super) output: Output,
    pub(super) usage: Usage,
    /// Tokens of its longest answer.
    pub(super) longest: u64,
    pub(super) logprobs: Option<u8>,
    /// Its tokens are told at the end.
    pub(super) tells_tokens: bool,
    /// The token that it has chosen last, the mark of an end too.
    pub(super) chosen: Option<LlamaToken>,
    pub(super) submitted: Instant,
    /// When its whole prompt was computed.
    pub(super) answering: Option<Instant>,
}

impl Sequence {
    /// Chooses the token behind the `place`th of the last call. `None` is the end; what came before it has been said.
    /// Fails when no token can go on as it must.
    pub(super) fn choose(
        &mut self,
        context: &Context<'_>,
        place: i32,
        vocabulary: &LlamaVocab<'_>,
        reports: &mut Vec<Report>,
    ) -> Result<Option<LlamaToken>, String> {
        self.answering.get_or_insert_with(Instant::now);
        let logits = context.logits(place).ok_or("there is nothing to choose from")?;
        let token = match &mut self.guide {
            None => self.chooser.choose(logits).ok_or("no token can follow")?,
            Some(guide) => {
                let allowed = guide.allowed()?;
                let chosen = self.chooser.choose_among(logits, |token| allowed.allows(token, vocabulary));
                chosen.ok_or("no token can follow")?
            }
        };
        self.chosen = Some(token);
        if vocabulary.is_eog(token) {
            self.output.finish(reports);
            return Ok(None);
        }
        self.usage.completion_tokens += 1;
        let likely = self.logprobs.map(|top| logprob(vocabulary, logits, token, top));
        let piece = vocabulary.token_to_piece(token, self.marks.contains(&token), None);
        self.output.push(&piece, likely, reports);
        if let Some(guide) = &mut self.guide {
            guide.accept(token, &piece)?;
            if guide.is_complete() {
                self.output.finish(reports);
                return Ok(None);
            }
        }
        Ok((!self.output.is_stopped()).then_some(token))
    }

    /// The answer is as long as it may be.
    pub(super) fn cut(&mut self, reports: &mut Vec<Report>) {
        self.output.finish(reports);
    }

    pub(super) fn finished(&self, outcome: Outcome) -> Report {
        let answering = self.answering.unwrap_or_else(Instant::now);
        let micros = |since: Instant, until: Instant| u64::try_from((until - since).as_micros()).unwrap_or(u64::MAX);
        Report::Finished {
            sequence: self.number,
            outcome,
            usage: self.usage,
            prompt_us: micros(self.submitted, answering),
            answer_us: micros(answering, Instant::now()),
        }
    }
}

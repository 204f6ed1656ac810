//! The context and all sequences that run in it, step by step.

use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use stoa_model::completion::Usage;
use stoa_models::protocol::{Outcome, Refusal, Report};

use super::Request;
use super::output::Output;
use super::pace::Pace;
use super::plan::{Limits, Need, Share, plan};
use super::prepare::{Prepared, fits};
use super::sampler::Chooser;
use super::sequence::Sequence;
use super::slot::{Slot, choose};
use crate::link::Vitals;

/// The most tokens of one call of llama.cpp.
pub(super) const CALL_TOKENS: u32 = 512;

/// The batch and the context are dropped before the model they lean on.
pub(crate) struct Session<'engine> {
    batch: LlamaBatch<'static>,
    context: LlamaContext<'engine>,
    model: &'engine LlamaModel,
    window: u32,
    slots: Vec<Slot<LlamaToken>>,
    /// In the order in which they came.
    running: Vec<Sequence>,
    pace: Pace,
    /// Rises with every sequence that begins.
    begun: u64,
    /// Steps so far.
    turn: usize,
}

impl<'engine> Session<'engine> {
    pub(super) fn new(model: &'engine LlamaModel, context: LlamaContext<'engine>, window: u32, slots: u32) -> Self {
        let call = usize::try_from(CALL_TOKENS.min(context.n_batch())).unwrap_or(1).max(1);
        Self {
            batch: LlamaBatch::new(call, 1),
            context,
            model,
            window,
            slots: (0..slots).map(|_| Slot::new()).collect(),
            running: Vec::new(),
            pace: Pace::new(model.n_params(), call),
            begun: 0,
            turn: 0,
        }
    }

    pub(crate) const fn context_window(&self) -> u32 {
        self.window
    }

    /// Tokens whose keys and values are in the context.
    pub(crate) fn held_tokens(&self) -> usize {
        self.slots.iter().map(|slot| slot.computed).sum()
    }

    pub(crate) const fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(crate) const fn running(&self) -> usize {
        self.running.len()
    }

    /// Takes a sequence in. Its computation begins with the next step.
    pub(crate) fn begin(
        &mut self,
        request: Request,
        prompt: Prepared,
        reports: &mut Vec<Report>,
    ) -> Result<(), Refusal> {
        let Request { asked: request, submitted } = request;
        let Prepared { tokens, in_reasoning, tool_format, marks, guide } = prompt;
        let choice = choose(&self.slots, &tokens, request.cache_scope.as_deref()).ok_or(Refusal::Occupied)?;
        let kept = self.keep(choice.slot, choice.kept)?;
        let chooser = Chooser::new(&request.sampling, &tokens, self.model.n_vocab(), self.window);
        let usage = Usage { prompt_tokens: tokens.len() as u64, cached_tokens: kept as u64, ..Usage::default() };
        reports.push(Report::Started {
            sequence: request.sequence,
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            in_reasoning,
            tool_format,
        });
        self.begun += 1;
        let slot = &mut self.slots[choice.slot];
        slot.tokens = tokens;
        slot.scope = request.cache_scope;
        slot.busy = true;
        slot.used = self.begun;
        self.running.push(Sequence {
            number: request.sequence,
            slot: choice.slot,
            owner: request.owner,
            alone: request.alone,
            suspect: false,
            chooser,
            guide,
            marks,
            output: Output::new(request.sequence, request.stop),
            usage,
            longest: request.max_tokens.map_or(u64::MAX, u64::from),
            logprobs: request.logprobs,
            submitted,
            answering: None,
        });
        Ok(())
    }

    /// Ends a sequence there and then. Whether it was running.
    pub(crate) fn cancel(&mut self, sequence: u64, reports: &mut Vec<Report>) -> bool {
        let found = self.running.iter().position(|running| running.number == sequence);
        if let Some(index) = found {
            let sequence = self.end(index);
            reports.push(sequence.finished(Outcome::Cancelled));
        }
        found.is_some()
    }

    /// Computes a token of everybody's answer, and a share of the prompts that wait.
    pub(crate) fn step(&mut self, vitals: &Vitals, reports: &mut Vec<Report>) {
        let needs: Vec<Need> = self.running.iter().map(|sequence| self.need(sequence)).collect();
        let decoding = needs.iter().filter(|need| need.tokens == 1).count();
        self.turn = self.turn.wrapping_add(1);
        let limits = Limits {
            call: self.call_tokens(),
            prompts: self.pace.prompts(needs.len() - decoding, decoding),
            alone: alone_tokens(self.model.n_params()).min(self.call_tokens()),
            turn: self.turn,
        };
        // Sequences that end change the places of those behind them, so the calls go by their numbers.
        let calls: Vec<Vec<(u64, usize)>> = plan(&needs, limits)
            .into_iter()
            .map(|call| call.into_iter().map(|Share { index, tokens }| (self.running[index].number, tokens)).collect())
            .collect();
        for call in calls {
            if let Err(detail) = self.compute(&call, reports) {
                self.failed(&call, &detail, reports);
            }
            vitals.step();
        }
    }

    fn need(&self, sequence: &Sequence) -> Need {
        // The place of the first of theirs is a number that all of theirs have in common.
        let owner = self.running.iter().position(|other| other.owner == sequence.owner).unwrap_or_default();
        let tokens = self.slots[sequence.slot].pending().max(1);
        Need { tokens, alone: sequence.alone || sequence.suspect, owner }
    }

    fn call_tokens(&self) -> usize {
        usize::try_from(CALL_TOKENS.min(self.context.n_batch())).unwrap_or(1).max(1)
    }

    /// One call of llama.cpp with so many tokens of each of these sequences, and the next token of those that have then
    /// computed all they have.
    fn compute(&mut self, call: &[(u64, usize)], reports: &mut Vec<Report>) -> Result<(), String> {
        let mut parts: Vec<(usize, usize)> =
            call.iter().filter_map(|(number, tokens)| Some((self.position(*number)?, *tokens))).collect();
        // llama.cpp computes sequences together whose numbers follow each other in the batch.
        parts.sort_by_key(|(index, _)| self.running[*index].slot);
        let outputs = self.fill(&parts)?;
        let started = Instant::now();
        self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
        self.context.synchronize();
        if parts.iter().any(|(_, tokens)| *tokens > 1) {
            self.pace.note(parts.iter().map(|(_, tokens)| tokens).sum(), started.elapsed());
        }
        for (index, tokens) in &parts {
            self.running[*index].suspect = false;
            let slot = self.running[*index].slot;
            self.slots[slot].computed += tokens;
        }
        let answers: Vec<(u64, i32)> =
            outputs.into_iter().map(|(index, place)| (self.running[index].number, place)).collect();
        for (number, place) in answers {
            self.answer(number, place, reports);
        }
        Ok(())
    }

    /// Writes the batch. Answers which sequences get a token from it, and where in the batch.
    fn fill(&mut self, parts: &[(usize, usize)]) -> Result<Vec<(usize, i32)>, String> {
        let mut outputs = Vec::with_capacity(parts.len());
        self.batch.clear();
        for (index, count) in parts {
            let place = self.running[*index].slot;
            let slot = &self.slots[place];
            let lane = i32::try_from(place).map_err(|error| error.to_string())?;
            let end = slot.computed + count;
            for (position, token) in slot.tokens.iter().enumerate().take(end).skip(slot.computed) {
                let last = position + 1 == slot.tokens.len();
                if last {
                    outputs.push((*index, self.batch.n_tokens()));
                }
                let position = i32::try_from(position).map_err(|error| error.to_string())?;
                self.batch.add(*token, position, &[lane], last).map_err(|error| error.to_string())?;
            }
        }
        Ok(outputs)
    }

    /// The next token of a sequence that has computed all it has.
    fn answer(&mut self, number: u64, place: i32, reports: &mut Vec<Report>) {
        let Some(index) = self.position(number) else { return };
        let sequence = &mut self.running[index];
        let token = match sequence.choose(&self.context, place, &self.model.vocab(), reports) {
            Ok(Some(token)) => token,
            Ok(None) => {
                let sequence = self.end(index);
                reports.push(sequence.finished(Outcome::Stop));
                return;
            }
            Err(detail) => {
                let sequence = self.end(index);
                reports.push(Report::Refused { sequence: sequence.number, refusal: Refusal::Schema { detail } });
                return;
            }
        };
        let slot = &mut self.slots[sequence.slot];
        if sequence.usage.completion_tokens >= sequence.longest || !fits(slot.computed, self.window) {
            sequence.cut(reports);
            let sequence = self.end(index);
            reports.push(sequence.finished(Outcome::Length));
            return;
        }
        slot.tokens.push(token);
    }

    /// What is done when a call fails: whoever was alone in it is refused, and of several each is tried by itself.
    fn failed(&mut self, call: &[(u64, usize)], detail: &str, reports: &mut Vec<Report>) {
        tracing::warn!(detail, sequences = call.len(), "llama.cpp failed to compute a step");
        for (number, _) in call {
            let Some(index) = self.position(*number) else { continue };
            let place = self.running[index].slot;
            if call.len() == 1 {
                let sequence = self.end(index);
                self.forget(place);
                let refusal = Refusal::Engine { detail: detail.to_owned() };
                reports.push(Report::Refused { sequence: sequence.number, refusal });
                continue;
            }
            // Whatever the call has left behind must go; what cannot is computed again from the beginning.
            self.running[index].suspect = true;
            let computed = self.slots[place].computed;
            if !self.truncate(place, computed).unwrap_or(false) {
                self.forget_computed(place);
            }
        }
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.running.iter().position(|sequence| sequence.number == number)
    }

    /// Takes a sequence out. What it computed stays in its slot for the next turn of the same conversation.
    fn end(&mut self, index: usize) -> Sequence {
        let sequence = self.running.remove(index);
        let slot = &mut self.slots[sequence.slot];
        slot.tokens.truncate(slot.computed);
        slot.busy = false;
        sequence
    }

    /// Keeps the first `kept` tokens of a slot and forgets the rest. Answers how many could be kept.
    fn keep(&mut self, place: usize, kept: usize) -> Result<usize, Refusal> {
        let lane = i32::try_from(place).unwrap_or(0);
        // A context that has already dropped its beginning (sliding windows, recurrent models) cannot go back.
        let whole = self.context.kv_cache_seq_pos_min(lane) == 0;
        if kept > 0 && whole && self.truncate(place, kept)? {
            return Ok(kept);
        }
        self.truncate(place, 0)?;
        Ok(0)
    }

    /// Whether the context could forget just what is behind `kept`; forgetting everything always works.
    fn truncate(&mut self, place: usize, kept: usize) -> Result<bool, Refusal> {
        let engine = |detail: String| Refusal::Engine { detail };
        let lane = u32::try_from(place).map_err(|error| engine(error.to_string()))?;
        let from = (kept > 0).then(|| u32::try_from(kept).unwrap_or(u32::MAX));
        let done =
            self.context.clear_kv_cache_seq(Some(lane), from, None).map_err(|error| engine(error.to_string()))?;
        if done {
            self.slots[place].computed = kept;
        }
        Ok(done)
    }

    fn forget_computed(&mut self, place: usize) {
        // Nothing but a number that is no sequence could make this fail.
        let _ = self.truncate(place, 0);
        self.slots[place].computed = 0;
    }

    fn forget(&mut self, place: usize) {
        self.forget_computed(place);
        self.slots[place].tokens.clear();
        self.slots[place].scope = None;
    }
}

/// How many tokens of a prompt that shares no call are computed at once. A cancellation and all others wait for one such
/// step, so a large model takes smaller ones. The number depends on the model alone: other steps round differently, and
/// the same seed is to give the same text.
const fn alone_tokens(parameters: u64) -> usize {
    match parameters {
        0..4_000_000_000 => 128,
        4_000_000_000..16_000_000_000 => 64,
        _ => 32,
    }
}

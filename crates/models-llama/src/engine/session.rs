//! The context and all sequences that run in it, step by step.

mod images;

use std::time::Instant;

use llama_cpp_2::model::LlamaModel;
use stoa_model::completion::Usage;
use stoa_models::protocol::{Outcome, Refusal, Report};

use super::Request;
use super::context::{Batch, Context, Vectors};
use super::glance::{Glance, Looks, Seen};
use super::output::Output;
use super::pace::Pace;
use super::plan::{Limits, Need, Share, plan};
use super::prepare::{Prepared, fits};
use super::sampler::Chooser;
use super::sequence::Sequence;
use super::slot::{Slot, choose};
use super::unit::Unit;
use crate::link::Vitals;

/// The most tokens of one call of llama.cpp.
pub(super) const CALL_TOKENS: u32 = 512;

pub(crate) struct Session<'engine> {
    batch: Batch,
    context: Context<'engine>,
    model: &'engine LlamaModel,
    window: u32,
    /// The parts of an image see each other.
    both_ways: bool,
    slots: Vec<Slot<Unit>>,
    /// In the order in which they came.
    running: Vec<Sequence>,
    pace: Pace,
    /// Rises with every sequence that begins.
    begun: u64,
    /// Steps so far.
    turn: usize,
    /// Where images are asked for, in a model that sees.
    looks: Option<Looks>,
}

impl<'engine> Session<'engine> {
    pub(super) fn new(model: &'engine LlamaModel, context: Context<'engine>, window: u32, slots: u32) -> Self {
        let call = call_tokens(&context);
        Self {
            batch: Batch::default(),
            context,
            model,
            window,
            both_ways: false,
            slots: (0..slots).map(|_| Slot::new()).collect(),
            running: Vec::new(),
            pace: Pace::new(model.n_params(), call),
            begun: 0,
            turn: 0,
            looks: None,
        }
    }

    /// From now on, images are asked for there.
    pub(crate) fn ask_at(&mut self, looks: Looks, both_ways: bool) {
        self.looks = Some(looks);
        self.both_ways = both_ways;
    }

    /// Nobody waits for anything any more.
    pub(crate) fn abandon(&mut self) {
        self.running.clear();
        self.looks = None;
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

    /// Whether there is something to compute right now: an image may still be on its way.
    pub(crate) fn is_ready(&self) -> bool {
        self.running.iter().any(|sequence| self.is_image(sequence) || self.text_tokens(sequence) > 0)
    }

    /// Takes a sequence in. Its computation begins with the next step.
    pub(crate) fn begin(
        &mut self,
        request: Request,
        prompt: Prepared,
        reports: &mut Vec<Report>,
    ) -> Result<(), Refusal> {
        let Request { asked: request, images: _, submitted } = request;
        let Prepared { units, in_reasoning, tool_format, marks, guide } = prompt;
        let choice = choose(&self.slots, &units.units, request.cache_scope.as_deref()).ok_or(Refusal::Occupied)?;
        let kept = self.keep(choice.slot, units.whole(choice.kept));
        let chooser = Chooser::new(&request.sampling, &units.tokens(), self.model.n_vocab(), self.window);
        let usage = Usage { prompt_tokens: units.units.len() as u64, cached_tokens: kept as u64, ..Usage::default() };
        reports.push(Report::Started {
            sequence: request.sequence,
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            in_reasoning,
            tool_format,
        });
        self.begun += 1;
        let slot = &mut self.slots[choice.slot];
        slot.tokens = units.units;
        slot.scope = request.cache_scope;
        slot.busy = true;
        slot.used = self.begun;
        // What is kept has been seen already.
        let glances = units.images.into_iter().filter(|image| image.end() > kept).map(Glance::new).collect();
        self.running.push(Sequence {
            number: request.sequence,
            slot: choice.slot,
            owner: request.owner,
            alone: request.alone,
            suspect: false,
            chooser,
            glances,
            next: units.next,
            guide,
            marks,
            output: Output::new(request.sequence, request.stop),
            usage,
            longest: request.max_tokens.map_or(u64::MAX, u64::from),
            logprobs: request.logprobs,
            tells_tokens: request.context.is_some(),
            chosen: None,
            submitted,
            answering: None,
        });
        self.ask(self.running.len() - 1, reports);
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
        // Whoever waits for an image has nothing to compute.
        let ready: Vec<usize> =
            (0..self.running.len()).filter(|index| self.text_tokens(&self.running[*index]) > 0).collect();
        let needs: Vec<Need> = ready.iter().map(|index| self.need(&self.running[*index])).collect();
        let images: Vec<u64> =
            self.running.iter().filter(|sequence| self.is_image(sequence)).map(|sequence| sequence.number).collect();
        let decoding = needs.iter().filter(|need| need.tokens == 1).count();
        self.turn = self.turn.wrapping_add(1);
        let mut limits = Limits {
            call: call_tokens(&self.context),
            prompts: self.pace.prompts(needs.len() - decoding + images.len(), decoding),
            alone: alone_tokens(self.model.n_params()).min(call_tokens(&self.context)),
            turn: self.turn,
        };
        // Of images, one gets on in a step, in turn; what it takes, other prompts do not get.
        let image =
            images.get(self.turn % images.len().max(1)).map(|number| (*number, self.image_share(*number, limits)));
        limits.prompts = limits.prompts.saturating_sub(image.map_or(0, |(_, tokens)| tokens)).max(1);
        // Sequences that end change the places of those behind them, so the calls go by their numbers.
        let calls: Vec<Vec<(u64, usize)>> = plan(&needs, limits)
            .into_iter()
            .map(|call| {
                call.into_iter().map(|Share { index, tokens }| (self.running[ready[index]].number, tokens)).collect()
            })
            .collect();
        for call in calls {
            if let Err(detail) = self.compute(&call, reports) {
                self.failed(&call, &detail, reports);
            }
            vitals.step();
        }
        if let Some((number, tokens)) = image {
            if let Err(detail) = self.compute_image(number, tokens, reports) {
                self.failed(&[(number, tokens)], &detail, reports);
            }
            vitals.step();
        }
    }

    fn need(&self, sequence: &Sequence) -> Need {
        // The place of the first of theirs is a number that all of theirs have in common.
        let owner = self.running.iter().position(|other| other.owner == sequence.owner).unwrap_or_default();
        let tokens = self.text_tokens(sequence);
        Need { tokens, alone: sequence.alone || sequence.suspect, owner }
    }

    /// Tokens that can be computed now: those before the next image.
    fn text_tokens(&self, sequence: &Sequence) -> usize {
        let slot = &self.slots[sequence.slot];
        let end = sequence.glances.front().map_or(slot.tokens.len(), Glance::start);
        end.saturating_sub(slot.computed)
    }

    /// Whether an image is what comes next, and is there.
    fn is_image(&self, sequence: &Sequence) -> bool {
        let computed = self.slots[sequence.slot].computed;
        sequence.glances.front().is_some_and(|glance| glance.start() <= computed && glance.vectors().is_some())
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
        self.context.decode(&mut self.batch)?;
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
            for (position, unit) in slot.tokens.iter().enumerate().take(end).skip(slot.computed) {
                let last = position + 1 == slot.tokens.len();
                if last {
                    outputs.push((*index, i32::try_from(self.batch.len()).map_err(|error| error.to_string())?));
                }
                let token = unit.as_token().ok_or("an image stands among tokens")?;
                self.batch.add(token, unit.position, lane, last);
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
                self.tell_tokens(index, reports);
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
            self.tell_tokens(index, reports);
            let sequence = self.end(index);
            reports.push(sequence.finished(Outcome::Length));
            return;
        }
        slot.tokens.push(Unit::token(token, sequence.next));
        sequence.next = sequence.next.saturating_add(1);
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
            if !self.truncate(place, computed) {
                self.forget_computed(place);
            }
        }
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.running.iter().position(|sequence| sequence.number == number)
    }

    /// Takes a sequence out. What it computed stays in its slot for the next turn of the same conversation.
    /// Of a sequence that is about to end, those of images left out: nobody could give them back.
    fn tell_tokens(&self, index: usize, reports: &mut Vec<Report>) {
        let sequence = &self.running[index];
        if sequence.tells_tokens {
            let said = self.slots[sequence.slot].tokens.iter().filter_map(Unit::as_token).chain(sequence.chosen);
            let tokens = said.filter_map(|token| u32::try_from(token.0).ok()).collect();
            reports.push(Report::Context { sequence: sequence.number, tokens });
        }
    }

    fn end(&mut self, index: usize) -> Sequence {
        let sequence = self.running.remove(index);
        let slot = &mut self.slots[sequence.slot];
        slot.tokens.truncate(slot.computed);
        slot.busy = false;
        sequence
    }

    /// Keeps the first `kept` tokens of a slot and forgets the rest. Answers how many could be kept.
    fn keep(&mut self, place: usize, kept: usize) -> usize {
        let lane = i32::try_from(place).unwrap_or(0);
        // A context that has already dropped its beginning (sliding windows, recurrent models) cannot go back.
        let whole = self.context.first_position(lane) == 0;
        if kept > 0 && whole && self.truncate(place, kept) {
            return kept;
        }
        self.truncate(place, 0);
        0
    }

    /// Whether the context could forget just what is behind `kept`; forgetting everything always works.
    fn truncate(&mut self, place: usize, kept: usize) -> bool {
        let Ok(lane) = i32::try_from(place) else { return false };
        let slot = &self.slots[place];
        let done = match slot.tokens.get(kept) {
            _ if kept == 0 => self.context.forget(lane, 0),
            Some(behind) => self.context.forget(lane, behind.position),
            // What is computed to its end has nothing behind it.
            None => kept == slot.computed,
        };
        if done {
            self.slots[place].computed = kept;
        }
        done
    }

    fn forget_computed(&mut self, place: usize) {
        self.truncate(place, 0);
        self.slots[place].computed = 0;
    }

    fn forget(&mut self, place: usize) {
        self.forget_computed(place);
        self.slots[place].tokens.clear();
        self.slots[place].scope = None;
    }
}

/// The most tokens of one call.
fn call_tokens(context: &Context<'_>) -> usize {
    usize::try_from(CALL_TOKENS).unwrap_or(1).min(context.call())
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

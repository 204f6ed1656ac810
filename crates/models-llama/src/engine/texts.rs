//! Texts that become vectors or scores: whose turn it is, and what is told of each. Their context is made when the first
//! is asked for.

use std::collections::VecDeque;

use stoa_model::completion::Usage;
use stoa_models::protocol::{Outcome, Refusal, Report};

use super::calculator::{Calculator, Text};
use super::model::{Pooling, Traits};
use super::prepare::PreparedText;
use super::{Engine, Order};
use crate::link::Vitals;

/// The texts of one command that are not computed yet.
struct Batch {
    order: Order,
    texts: VecDeque<PreparedText>,
    done: u64,
    prompt_tokens: u64,
}

pub(crate) struct TextQueue<'engine> {
    engine: &'engine Engine,
    traits: Traits,
    window: u32,
    threads: u32,
    calculator: Option<Calculator<'engine>>,
    waiting: VecDeque<Batch>,
    text: Option<Text>,
}

impl<'engine> TextQueue<'engine> {
    pub(crate) fn new(engine: &'engine Engine, window: u32, threads: u32) -> Self {
        Self {
            engine,
            traits: Traits::of(&engine.model),
            window,
            threads,
            calculator: None,
            waiting: VecDeque::new(),
            text: None,
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn begin(&mut self, order: Order, texts: Vec<PreparedText>) {
        self.waiting.push_back(Batch { order, texts: texts.into(), done: 0, prompt_tokens: 0 });
    }

    /// Ends a batch there and then. Whether it was waiting.
    pub(crate) fn cancel(&mut self, sequence: u64, reports: &mut Vec<Report>) -> bool {
        let found = self.waiting.iter().position(|batch| batch.order.sequence == sequence);
        let Some(batch) = found.and_then(|index| self.waiting.remove(index)) else { return false };
        if found == Some(0) {
            self.text = None;
        }
        reports.push(batch.finished(Outcome::Cancelled));
        true
    }

    /// Computes one call's worth of the text whose turn it is.
    pub(crate) fn step(&mut self, vitals: &Vitals, reports: &mut Vec<Report>) {
        let Some(batch) = self.waiting.front_mut() else { return };
        if self.text.is_none() {
            self.text = batch.texts.pop_front().map(Text::from);
        }
        let Some(text) = &mut self.text else {
            reports.push(batch.finished(Outcome::Stop));
            self.waiting.pop_front();
            return;
        };
        let calculator = match &mut self.calculator {
            Some(calculator) => Ok(calculator),
            none => Calculator::new(self.engine, self.traits, self.window, self.threads).map(|made| none.insert(made)),
        };
        let computed = calculator.and_then(|calculator| calculator.compute(text));
        vitals.step();
        let report = match computed {
            Ok(()) if !text.is_computed() => return,
            Ok(()) => batch.report(text, self.traits),
            Err(refusal) => Err(refusal),
        };
        match report {
            Ok(report) => {
                batch.done += 1;
                batch.prompt_tokens += text.tokens.len() as u64;
                reports.push(report);
            }
            Err(refusal) => {
                reports.push(Report::Refused { sequence: batch.order.sequence, refusal });
                self.waiting.pop_front();
            }
        }
        self.text = None;
    }
}

impl Batch {
    /// What the server is told of a text that has been computed.
    fn report(&self, text: &Text, traits: Traits) -> Result<Report, Refusal> {
        let (sequence, truncated) = (self.order.sequence, text.truncated);
        if traits.pooling == Pooling::Rank {
            let score = text.values.first().copied().filter(|score| score.is_finite());
            let score = score.ok_or(Refusal::NoScore { index: self.done })?;
            return Ok(Report::Score { sequence, relevance: traits.relevance(score), truncated });
        }
        let values = unit(&text.values, self.order.dimensions).ok_or(Refusal::NotFinite { index: self.done })?;
        Ok(Report::Vector { sequence, values, truncated })
    }

    fn finished(&self, outcome: Outcome) -> Report {
        Report::Finished {
            sequence: self.order.sequence,
            outcome,
            usage: Usage { prompt_tokens: self.prompt_tokens, ..Usage::default() },
            prompt_us: u64::try_from(self.order.submitted.elapsed().as_micros()).unwrap_or(u64::MAX),
            answer_us: 0,
        }
    }
}

/// The first `dimensions` numbers in the same direction, with length 1; `None` when there is no direction.
#[expect(clippy::cast_possible_truncation, reason = "numbers from -1 to 1 lose nothing that 32 bits had")]
fn unit(sum: &[f64], dimensions: Option<u32>) -> Option<Vec<f32>> {
    let wanted = dimensions.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(sum.len());
    let values = &sum[..wanted.min(sum.len())];
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let vector: Vec<f32> = values.iter().map(|value| (value / length) as f32).collect();
    (length > 0.0 && vector.iter().all(|value| value.is_finite())).then_some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_1_however_much_of_it_is_kept() {
        assert_eq!(unit(&[3.0, 4.0], None), Some(vec![0.6, 0.8]));
        assert_eq!(unit(&[3.0, 4.0], Some(1)), Some(vec![1.0]));
    }

    #[test]
    fn what_is_not_a_number_is_no_vector() {
        for sum in [vec![0.0, 0.0], vec![f64::NAN, 1.0], vec![f64::INFINITY, 1.0], Vec::new()] {
            assert_eq!(unit(&sum, None), None, "{sum:?}");
        }
    }
}

//! The images of running sequences: asked for, received, and put into the context in their sequence's share.

use std::time::Instant;

use stoa_models::protocol::{Refusal, Report};

use super::{Seen, Session, Vectors};
use crate::engine::plan::Limits;

impl Session<'_> {
    /// An image has been computed by the eye. A sequence that has ended meanwhile needs it no more.
    pub(crate) fn see(&mut self, number: u64, seen: Seen, reports: &mut Vec<Report>) {
        let Some(index) = self.position(number) else { return };
        let Some(glance) = self.running[index].glances.front_mut() else { return };
        match seen {
            Ok(Some(vectors)) => glance.seen(vectors),
            // Only whoever gave it up cancels it, and then it is gone.
            Ok(None) => {}
            Err(detail) => self.refuse_image(index, detail, reports),
        }
    }

    /// Asks for the next image of a sequence. One at a time: what waits in memory is not more than one for each.
    pub(super) fn ask(&mut self, index: usize, reports: &mut Vec<Report>) {
        let sequence = &mut self.running[index];
        let number = sequence.number;
        let Some(glance) = sequence.glances.front_mut() else { return };
        let asked = match &self.looks {
            Some(looks) => glance.ask(number, looks),
            None => Err("the model has no eye".to_owned()),
        };
        if let Err(detail) = asked {
            self.refuse_image(index, detail, reports);
        }
    }

    fn refuse_image(&mut self, index: usize, detail: String, reports: &mut Vec<Report>) {
        let sequence = self.end(index);
        reports.push(Report::Refused { sequence: sequence.number, refusal: Refusal::Engine { detail } });
    }

    /// How many vectors of an image this step computes: as many as of any prompt, but all of it where they see each other.
    pub(super) fn image_share(&self, number: u64, limits: Limits) -> usize {
        let Some(sequence) = self.position(number).map(|index| &self.running[index]) else { return 0 };
        let Some(glance) = sequence.glances.front() else { return 0 };
        let left = glance.end().saturating_sub(self.slots[sequence.slot].computed);
        if self.both_ways {
            left
        } else if sequence.alone {
            left.min(limits.alone)
        } else {
            left.min(limits.prompts).min(limits.call)
        }
    }

    /// One call of llama.cpp with so many vectors of the image that is next in a sequence.
    pub(super) fn compute_image(&mut self, number: u64, count: usize, reports: &mut Vec<Report>) -> Result<(), String> {
        let Some(index) = self.position(number) else { return Ok(()) };
        let sequence = &self.running[index];
        let slot = &self.slots[sequence.slot];
        let lane = i32::try_from(sequence.slot).map_err(|error| error.to_string())?;
        let Some((glance, vectors)) = sequence.glances.front().and_then(|glance| Some((glance, glance.vectors()?)))
        else {
            return Ok(());
        };
        let first = slot.computed - glance.start();
        let last = first + count;
        if self.both_ways && (first > 0 || count > self.context.call()) {
            return Err(format!("an image of {last} tokens must be computed at once, and is too large for that"));
        }
        let start = slot.tokens.get(glance.start()).map_or(0, |unit| unit.position);
        let positions = glance.sight().positions(start);
        let width = self.context.width();
        let numbers = vectors.get(first * width..last * width).ok_or("an image has fewer vectors than tokens")?;
        let ends = slot.computed + count == slot.tokens.len();
        let began = Instant::now();
        self.context.decode_vectors(&Vectors {
            numbers,
            positions: &positions[first..last],
            lane,
            both_ways: self.both_ways,
            output: ends,
        })?;
        self.pace.note(count, began.elapsed());
        let sequence = &mut self.running[index];
        let slot = &mut self.slots[sequence.slot];
        slot.computed += count;
        if sequence.glances.front().is_some_and(|glance| glance.end() <= slot.computed) {
            sequence.glances.pop_front();
            self.ask(index, reports);
        }
        if ends {
            // A prompt may end with an image.
            let place = i32::try_from(count).map_err(|error| error.to_string())? - 1;
            self.answer(number, place, reports);
        }
        Ok(())
    }
}

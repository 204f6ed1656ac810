//! One request that the worker is at work on.

use std::time::Duration;

use stoa_model::completion::{CompletionError, CompletionEvent, LocalEvent, LocalTimings, PartKind, Usage};
use tokio::time::Instant;

use crate::protocol::{Outcome, Refusal, Report};
use crate::runtime::job::{Job, Part};
use crate::runtime::process::WorkerFault;
use crate::text::ReasoningSplitter;

pub(super) struct Sequence {
    job: Job,
    began_at: Instant,
    /// Of the time that it waited, how long the model was loading.
    loading: Duration,
    splitter: ReasoningSplitter,
    reasoning_tokens: u64,
    said_something: bool,
}

/// What a report has meant for its sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    GoesOn,
    /// Its first text has come, so long after it was asked for.
    FirstText(Duration),
    Over,
}

impl Sequence {
    pub(super) fn new(job: Job, loading: Duration) -> Self {
        Self {
            job,
            began_at: Instant::now(),
            loading,
            splitter: ReasoningSplitter::new(false),
            reasoning_tokens: 0,
            said_something: false,
        }
    }

    pub(super) fn took(&self) -> Duration {
        self.began_at.elapsed()
    }

    pub(super) fn fail(&self, error: CompletionError) {
        self.job.outlet.fail(error);
    }

    pub(super) fn take(&mut self, report: Report) -> Result<Progress, WorkerFault> {
        match report {
            Report::Started { in_reasoning, .. } => self.splitter = ReasoningSplitter::new(in_reasoning),
            Report::Piece { text, tokens, logprobs, .. } => {
                if !logprobs.is_empty() {
                    self.job.outlet.event(CompletionEvent::Local(LocalEvent::LogProbs(logprobs)));
                }
                let parts = self.splitter.push(&text);
                let part = parts.first().map_or_else(|| self.splitter.part(), |(part, _)| *part);
                if part == PartKind::Reasoning {
                    self.reasoning_tokens += u64::from(tokens);
                }
                self.emit(parts);
                if !std::mem::replace(&mut self.said_something, true) {
                    return Ok(Progress::FirstText(self.job.queued_at.elapsed()));
                }
            }
            Report::Vector { values, truncated, .. } => self.job.outlet.part(Part::Vector { values, truncated }),
            Report::Finished { outcome, usage, prompt_us, answer_us, .. } => {
                self.finish(outcome, usage, prompt_us, answer_us);
                return Ok(Progress::Over);
            }
            Report::Refused { refusal, .. } => {
                self.fail(explain(&refusal));
                return Ok(Progress::Over);
            }
            _ => return Err(WorkerFault::OutOfTurn),
        }
        Ok(Progress::GoesOn)
    }

    fn finish(&mut self, outcome: Outcome, usage: Usage, prompt_us: u64, answer_us: u64) {
        let rest = self.splitter.finish();
        self.emit(rest);
        let timings = LocalTimings {
            waiting: self.began_at - self.job.queued_at,
            loading: self.loading,
            prompt: Duration::from_micros(prompt_us),
            answer: Duration::from_micros(answer_us),
        };
        // A cancelled sequence has no listener, so it needs no end.
        if let Some(reason) = outcome.finish_reason() {
            let outlet = &self.job.outlet;
            let reasoning_tokens = self.reasoning_tokens.min(usage.completion_tokens);
            outlet.event(CompletionEvent::Local(LocalEvent::Timings(timings)));
            outlet.event(CompletionEvent::Usage(Usage { reasoning_tokens, ..usage }));
            outlet.event(CompletionEvent::Finish(reason));
            outlet.part(Part::Done { prompt_tokens: usage.prompt_tokens, timings });
        }
    }

    fn emit(&self, parts: Vec<(PartKind, String)>) {
        for (part, text) in parts {
            self.job.outlet.event(CompletionEvent::Delta { part, text });
        }
    }
}

fn explain(refusal: &Refusal) -> CompletionError {
    match *refusal {
        Refusal::TooLong { prompt_tokens, context_window } => {
            CompletionError::TooLong { prompt_tokens, context_window }
        }
        Refusal::TooManyBytes { .. }
        | Refusal::NoTemplate
        | Refusal::Template { .. }
        | Refusal::Sampling { .. }
        | Refusal::NoEmbeddings
        | Refusal::NoText
        | Refusal::Dimensions { .. } => CompletionError::Invalid { detail: refusal.to_string() },
        Refusal::Occupied | Refusal::Engine { .. } | Refusal::NotFinite { .. } => {
            CompletionError::WorkerFailed { detail: refusal.to_string() }
        }
    }
}

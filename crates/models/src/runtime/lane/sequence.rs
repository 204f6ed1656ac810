//! One request that the worker is at work on.

use std::time::Duration;

use stoa_model::completion::{
    CompletionError, CompletionEvent, FinishReason, LocalEvent, LocalTimings, PartKind, Usage,
};
use stoa_model::tools::Tools;
use tokio::time::Instant;

use crate::protocol::{Outcome, Refusal, Report};
use crate::runtime::job::{Job, Part};
use crate::runtime::process::WorkerFault;
use crate::text::{AnswerPiece, AnswerReader, ToolFormat, fresh_random};

pub(super) struct Sequence {
    job: Job,
    began_at: Instant,
    /// Of the time that it waited, how long the model was loading.
    loading: Duration,
    /// What the model was offered.
    tools: Tools,
    reader: AnswerReader,
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
    pub(super) fn new(job: Job, loading: Duration, tools: Tools) -> Self {
        let reader = AnswerReader::new(false, ToolFormat::Json, &tools, fresh_random());
        Self { job, began_at: Instant::now(), loading, tools, reader, reasoning_tokens: 0, said_something: false }
    }

    pub(super) fn took(&self) -> Duration {
        self.began_at.elapsed()
    }

    pub(super) fn fail(&self, error: CompletionError) {
        self.job.outlet.fail(error);
    }

    pub(super) fn take(&mut self, report: Report) -> Result<Progress, WorkerFault> {
        match report {
            Report::Started { in_reasoning, tool_format, .. } => {
                let format = tool_format.unwrap_or(ToolFormat::Json);
                self.reader = AnswerReader::new(in_reasoning, format, &self.tools, fresh_random());
            }
            Report::Piece { text, tokens, logprobs, .. } => {
                if !logprobs.is_empty() {
                    self.job.outlet.event(CompletionEvent::Local(LocalEvent::LogProbs(logprobs)));
                }
                let pieces = self.reader.push(&text);
                let part = match pieces.first() {
                    Some(AnswerPiece::Delta(part, _)) => *part,
                    Some(AnswerPiece::Call(_)) => PartKind::Text,
                    None => self.reader.part(),
                };
                if part == PartKind::Reasoning {
                    self.reasoning_tokens += u64::from(tokens);
                }
                self.emit(pieces);
                if !std::mem::replace(&mut self.said_something, true) {
                    return Ok(Progress::FirstText(self.job.queued_at.elapsed()));
                }
            }
            Report::Vector { values, truncated, .. } => self.job.outlet.part(Part::Vector { values, truncated }),
            Report::Score { relevance, truncated, .. } => self.job.outlet.part(Part::Score { relevance, truncated }),
            Report::Context { tokens, .. } => {
                self.job.outlet.event(CompletionEvent::Local(LocalEvent::Context(tokens)));
            }
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
        let rest = self.reader.finish();
        self.emit(rest);
        let timings = LocalTimings {
            waiting: self.began_at - self.job.queued_at,
            loading: self.loading,
            prompt: Duration::from_micros(prompt_us),
            answer: Duration::from_micros(answer_us),
        };
        // A cancelled sequence has no listener, so it needs no end.
        if let Some(reason) = outcome.finish_reason() {
            let called = reason == FinishReason::Stop && self.reader.has_called();
            let reason = if called { FinishReason::ToolCalls } else { reason };
            let outlet = &self.job.outlet;
            let reasoning_tokens = self.reasoning_tokens.min(usage.completion_tokens);
            outlet.event(CompletionEvent::Local(LocalEvent::Timings(timings)));
            outlet.event(CompletionEvent::Usage(Usage { reasoning_tokens, ..usage }));
            outlet.event(CompletionEvent::Finish(reason));
            outlet.part(Part::Done { prompt_tokens: usage.prompt_tokens, timings });
        }
    }

    fn emit(&self, pieces: Vec<AnswerPiece>) {
        for piece in pieces {
            self.job.outlet.event(match piece {
                AnswerPiece::Delta(part, text) => CompletionEvent::Delta { part, text },
                AnswerPiece::Call(call) => CompletionEvent::ToolCall(call),
            });
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
        | Refusal::Schema { .. }
        | Refusal::NoEmbeddings
        | Refusal::NoRanking
        | Refusal::NoText
        | Refusal::NoEye
        | Refusal::Image { .. }
        | Refusal::Dimensions { .. } => CompletionError::Invalid { detail: refusal.to_string() },
        Refusal::Occupied | Refusal::Engine { .. } | Refusal::NotFinite { .. } | Refusal::NoScore { .. } => {
            CompletionError::WorkerFailed { detail: refusal.to_string() }
        }
    }
}

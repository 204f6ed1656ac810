//! One request and the worker that answers it.

use stoa_model::Timestamp;
use stoa_model::completion::{CompletionError, CompletionEvent, PartKind, Usage};

use super::Job;
use crate::protocol::{Command, Outcome, Refusal, Report};
use crate::runtime::process::{WorkerFault, WorkerProcess};
use crate::text::ReasoningSplitter;

/// Runs `job` to its end, or until nobody wants it any more. A fault has been told to the job; the worker is then of no
/// more use.
pub(super) async fn serve(worker: &mut WorkerProcess, job: Job, now: Timestamp) -> Result<(), WorkerFault> {
    let mut sequence = Sequence::new(worker.next_sequence(), job);
    let ended = sequence.run(worker, now).await;
    if let Err(fault) = &ended {
        sequence.job.fail(fault.completion_error());
    }
    ended
}

struct Sequence {
    number: u64,
    job: Job,
    splitter: ReasoningSplitter,
    reasoning_tokens: u64,
    cancelled: bool,
}

impl Sequence {
    fn new(number: u64, job: Job) -> Self {
        Self { number, job, splitter: ReasoningSplitter::new(false), reasoning_tokens: 0, cancelled: false }
    }

    async fn run(&mut self, worker: &mut WorkerProcess, now: Timestamp) -> Result<(), WorkerFault> {
        let submit = Command::Submit {
            sequence: self.number,
            messages: std::mem::take(&mut self.job.messages),
            sampling: self.job.sampling,
            max_tokens: self.job.max_tokens,
            stop: std::mem::take(&mut self.job.stop),
            cache_scope: self.job.cache_scope.take(),
            now_ms: now.as_millis(),
        };
        worker.send(&submit).await?;
        drop(submit);
        loop {
            tokio::select! {
                report = worker.next_report() => {
                    if self.take(report?)? {
                        return Ok(());
                    }
                }
                () = self.job.events.closed(), if !self.cancelled => {
                    self.cancelled = true;
                    worker.send(&Command::Cancel { sequence: self.number }).await?;
                }
            }
        }
    }

    /// Whether that was the end.
    fn take(&mut self, report: Report) -> Result<bool, WorkerFault> {
        match report {
            Report::Started { sequence, in_reasoning, .. } if sequence == self.number => {
                self.splitter = ReasoningSplitter::new(in_reasoning);
                Ok(false)
            }
            Report::Piece { sequence, text, tokens } if sequence == self.number => {
                let parts = self.splitter.push(&text);
                let reasoning = parts.first().map_or_else(|| self.splitter.part(), |(part, _)| *part);
                if reasoning == PartKind::Reasoning {
                    self.reasoning_tokens += u64::from(tokens);
                }
                self.emit(parts);
                Ok(false)
            }
            Report::Finished { sequence, outcome, usage } if sequence == self.number => {
                self.finish(outcome, usage);
                Ok(true)
            }
            Report::Refused { sequence, refusal } if sequence == self.number => {
                self.job.fail(explain(&refusal));
                Ok(true)
            }
            _ => Err(WorkerFault::OutOfTurn),
        }
    }

    fn finish(&mut self, outcome: Outcome, usage: Usage) {
        let rest = self.splitter.finish();
        self.emit(rest);
        // A cancelled sequence has no listener, so it needs no end.
        if let Some(reason) = outcome.finish_reason() {
            let reasoning_tokens = self.reasoning_tokens.min(usage.completion_tokens);
            self.send(CompletionEvent::Usage(Usage { reasoning_tokens, ..usage }));
            self.send(CompletionEvent::Finish(reason));
        }
    }

    fn emit(&self, parts: Vec<(PartKind, String)>) {
        for (part, text) in parts {
            self.send(CompletionEvent::Delta { part, text });
        }
    }

    fn send(&self, event: CompletionEvent) {
        // Nobody may be listening any more; the next turn of the loop then cancels the sequence.
        let _ = self.job.events.send(Ok(event));
    }
}

fn explain(refusal: &Refusal) -> CompletionError {
    match *refusal {
        Refusal::TooLong { prompt_tokens, context_window } => {
            CompletionError::TooLong { prompt_tokens, context_window }
        }
        Refusal::TooManyBytes { .. } | Refusal::NoTemplate | Refusal::Template { .. } | Refusal::Sampling { .. } => {
            CompletionError::Invalid { detail: refusal.to_string() }
        }
        Refusal::Occupied | Refusal::Engine { .. } => CompletionError::WorkerFailed { detail: refusal.to_string() },
    }
}

//! All requests that one worker is at work on: who has how many of them, which report belongs to which, and which of
//! them nobody wants any more.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use stoa_model::completion::{CompletionError, LocalTimings};
use stoa_model::tools::Tools;
use stoa_model::{Timestamp, UserId};

use super::Loaded;
use super::sequence::{Progress, Sequence};
use crate::protocol::{Command, Report};
use crate::runtime::job::{Completion, Job, Part, Task};
use crate::runtime::process::WorkerFault;

#[derive(Default)]
pub(super) struct Running {
    sequences: HashMap<u64, (Option<UserId>, Sequence)>,
    /// Each answers with its number when nobody wants the result any more.
    gone: FuturesUnordered<Pin<Box<dyn Future<Output = u64> + Send>>>,
}

impl Running {
    pub(super) fn len(&self) -> usize {
        self.sequences.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Whose they are.
    pub(super) fn people(&self) -> HashSet<Option<UserId>> {
        self.sequences.values().map(|(tenant, _)| *tenant).collect()
    }

    /// How many of them are `user`'s.
    pub(super) fn held_by(&self, user: Option<UserId>) -> usize {
        self.sequences.values().filter(|(other, _)| *other == user).count()
    }

    /// Sends a request to the worker. One that only wants the model loaded has what it wants.
    pub(super) async fn begin(
        &mut self,
        loaded: &mut Loaded,
        tenant: Option<UserId>,
        mut job: Job,
        now: Timestamp,
    ) -> Result<(), WorkerFault> {
        let sequence = loaded.worker.next_sequence();
        let loading = if loaded.at > job.queued_at { loaded.took } else { std::time::Duration::ZERO };
        let (mut tools, mut images) = (Tools::default(), Vec::new());
        let command = match std::mem::replace(&mut job.task, Task::Load) {
            Task::Load => {
                let timings = LocalTimings { waiting: job.queued_at.elapsed(), loading, ..LocalTimings::default() };
                job.outlet.part(Part::Done { prompt_tokens: 0, timings });
                return Ok(());
            }
            Task::Embed { inputs, truncate, dimensions } => Command::Embed { sequence, inputs, truncate, dimensions },
            Task::Rerank { query, documents, truncate } => Command::Rerank { sequence, query, documents, truncate },
            Task::Complete(completion) => {
                let Completion { mut submission, images: shown, tools: offered } = *completion;
                (tools, images) = (offered, shown);
                submission.sequence = sequence;
                submission.owner = tenant.map(|user| user.to_string());
                submission.now_ms = now.as_millis();
                Command::Submit(Box::new(submission))
            }
        };
        let outlet = job.outlet.clone();
        self.gone.push(Box::pin(async move {
            outlet.closed().await;
            sequence
        }));
        self.sequences.insert(sequence, (tenant, Sequence::new(job, loading, tools)));
        loaded.worker.send_with(&images, &command).await
    }

    /// The next request that nobody wants any more. Waits for ever when there is none.
    pub(super) async fn next_gone(&mut self) -> u64 {
        loop {
            match self.gone.next().await {
                // One that has ended meanwhile is of no interest.
                Some(sequence) if self.sequences.contains_key(&sequence) => return sequence,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Hands a report to its request. Answers the request when that was its end.
    pub(super) fn take(&mut self, report: Report) -> Result<(Progress, Option<Sequence>), WorkerFault> {
        let number = match &report {
            Report::Started { sequence, .. }
            | Report::Piece { sequence, .. }
            | Report::Vector { sequence, .. }
            | Report::Score { sequence, .. }
            | Report::Context { sequence, .. }
            | Report::Finished { sequence, .. }
            | Report::Refused { sequence, .. } => *sequence,
            _ => return Err(WorkerFault::OutOfTurn),
        };
        let (_, sequence) = self.sequences.get_mut(&number).ok_or(WorkerFault::OutOfTurn)?;
        let progress = sequence.take(report)?;
        let ended = (progress == Progress::Over).then(|| self.sequences.remove(&number)).flatten();
        Ok((progress, ended.map(|(_, sequence)| sequence)))
    }

    pub(super) fn fail(&self, error: &CompletionError) {
        for (_, sequence) in self.sequences.values() {
            sequence.fail(error.clone());
        }
    }
}

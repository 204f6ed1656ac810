//! One request on its way to a worker, and whoever waits for what comes of it.

use stoa_model::completion::{CompletionError, CompletionEvent, KeepAlive, LocalEvent, LocalTimings};
use stoa_model::image::Image;
use stoa_model::tools::Tools;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::answer::Event;
use super::lane::shutting_down;
use crate::protocol::Submission;

pub(super) struct Job {
    pub(super) task: Task,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) outlet: Outlet,
    pub(super) queued_at: Instant,
    /// How many are before it, as it was last told.
    told_ahead: Option<u32>,
}

/// What a worker is to do.
pub(super) enum Task {
    Complete(Box<Completion>),
    Embed {
        inputs: Vec<String>,
        truncate: bool,
        dimensions: Option<u32>,
    },
    Rerank {
        query: String,
        documents: Vec<String>,
        truncate: bool,
    },
    /// Nothing but to be there.
    Load,
}

pub(super) struct Completion {
    /// Its number, its owner and its time are set when it is its turn.
    pub(super) submission: Submission,
    /// Those that the submission places.
    pub(super) images: Vec<Image>,
    pub(super) tools: Tools,
}

/// What comes of a task that is no answer.
#[derive(Debug)]
pub(super) enum Part {
    Vector { values: Vec<f32>, truncated: bool },
    Score { relevance: f32, truncated: bool },
    Done { prompt_tokens: u64, timings: LocalTimings },
}

/// Where the result goes. It is closed as soon as nobody wants it any more.
#[derive(Clone)]
pub(super) enum Outlet {
    Answer(UnboundedSender<Event>),
    Parts(UnboundedSender<Result<Part, CompletionError>>),
}

impl Job {
    /// Bytes of the images that wait with it.
    pub(super) fn image_bytes(&self) -> usize {
        match &self.task {
            Task::Complete(completion) => completion.images.iter().map(|image| image.bytes().len()).sum(),
            Task::Embed { .. } | Task::Rerank { .. } | Task::Load => 0,
        }
    }
}

// Nobody may be listening any more, so that nothing said here needs to arrive.
impl Outlet {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Answer(events) => events.is_closed(),
            Self::Parts(parts) => parts.is_closed(),
        }
    }

    pub(super) async fn closed(&self) {
        match self {
            Self::Answer(events) => events.closed().await,
            Self::Parts(parts) => parts.closed().await,
        }
    }

    pub(super) fn event(&self, event: CompletionEvent) {
        if let Self::Answer(events) = self {
            let _ = events.send(Ok(event));
        }
    }

    pub(super) fn part(&self, part: Part) {
        if let Self::Parts(parts) = self {
            let _ = parts.send(Ok(part));
        }
    }

    pub(super) fn fail(&self, error: CompletionError) {
        match self {
            Self::Answer(events) => drop(events.send(Err(error))),
            Self::Parts(parts) => drop(parts.send(Err(error))),
        }
    }
}

impl Job {
    pub(super) const fn new(task: Task, keep_alive: Option<KeepAlive>, outlet: Outlet, queued_at: Instant) -> Self {
        Self { task, keep_alive, outlet, queued_at, told_ahead: None }
    }

    /// Tells whoever waits how many are before them, unless they know.
    pub(super) fn tell_ahead(&mut self, ahead: u32) {
        if self.told_ahead.replace(ahead) != Some(ahead) {
            self.outlet.event(CompletionEvent::Local(LocalEvent::Queued { ahead }));
        }
    }
}

/// A job that is dropped without an end was dropped with its lane's task. After an end nobody listens any more.
impl Drop for Job {
    fn drop(&mut self) {
        self.outlet.fail(shutting_down());
    }
}

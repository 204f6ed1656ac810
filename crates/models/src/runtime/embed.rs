//! Texts as vectors, in the same fair queue as answers.

use std::sync::Arc;

use stoa_model::UserId;
use stoa_model::completion::{CompletionError, KeepAlive, LocalTimings, TimedStep, Timers};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Runtime;
use super::job::{Job, Outlet, Part, Task};
use crate::protocol::{MAX_EMBED_INPUTS, MAX_PROMPT_BYTES};
use stoa_model_store::StoredModel;

/// The most texts of one request.
const MAX_INPUTS: usize = 2_048;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedRequest {
    /// As the store names it: `all-minilm:22m`.
    pub model: String,
    /// At most 2,048 texts, none of them empty, of at most 4 MiB together.
    pub inputs: Vec<String>,
    /// Cut a text that is longer than the model's context, instead of refusing all of them.
    pub truncate: bool,
    /// Keep so many of the first numbers of each vector, which is then made one of length 1 again.
    pub dimensions: Option<u32>,
    pub keep_alive: Option<KeepAlive>,
    /// Whose request this is, for the fair queue.
    pub tenant: Option<UserId>,
    /// Only `total` counts.
    pub timers: Timers,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One for each text, in their order, each of length 1.
    pub vectors: Vec<Vec<f32>>,
    /// Which of the texts were cut.
    pub truncated: Vec<usize>,
    pub prompt_tokens: u64,
    pub timings: LocalTimings,
}

impl Runtime {
    /// Turns texts into vectors. A long list takes its turn in the queue again and again, so that nobody waits for all
    /// of it. Dropping the future cancels what is left.
    pub async fn embed(self: &Arc<Self>, request: EmbedRequest) -> Result<Embeddings, CompletionError> {
        check(&request)?;
        let deadline = Instant::now() + request.timers.total;
        let model = self.find(request.model.clone()).await?;
        let mut all = Embeddings {
            vectors: Vec::with_capacity(request.inputs.len()),
            truncated: Vec::new(),
            prompt_tokens: 0,
            timings: LocalTimings::default(),
        };
        for inputs in request.inputs.chunks(MAX_EMBED_INPUTS) {
            let some = self.embed_some(&model, &request, inputs.to_vec(), &mut all);
            let after = request.timers.total;
            timeout_at(deadline, some)
                .await
                .unwrap_or(Err(CompletionError::TimedOut { step: TimedStep::End, after }))?;
        }
        Ok(all)
    }

    async fn embed_some(
        &self,
        model: &StoredModel,
        request: &EmbedRequest,
        inputs: Vec<String>,
        all: &mut Embeddings,
    ) -> Result<(), CompletionError> {
        let (parts, mut received) = mpsc::unbounded_channel();
        let job = Job::new(
            Task::Embed { inputs, truncate: request.truncate, dimensions: request.dimensions },
            request.keep_alive,
            Outlet::Parts(parts),
            Instant::now(),
        );
        self.enqueue(model, request.tenant, job)?;
        while let Some(part) = received.recv().await {
            match part? {
                Part::Vector { values, truncated } => {
                    if truncated {
                        all.truncated.push(all.vectors.len());
                    }
                    all.vectors.push(values);
                }
                Part::Score { .. } => return Err(CompletionError::CutOff),
                Part::Done { prompt_tokens, timings } => {
                    all.prompt_tokens += prompt_tokens;
                    all.timings.waiting += timings.waiting;
                    all.timings.loading += timings.loading;
                    all.timings.prompt += timings.prompt;
                    return Ok(());
                }
            }
        }
        Err(CompletionError::CutOff)
    }
}

fn check(request: &EmbedRequest) -> Result<(), CompletionError> {
    let invalid = |detail: String| Err(CompletionError::Invalid { detail });
    if request.inputs.len() > MAX_INPUTS {
        return invalid(format!("{} texts were given; at most {MAX_INPUTS} are taken at once", request.inputs.len()));
    }
    if let Some(empty) = request.inputs.iter().position(String::is_empty) {
        return invalid(format!("text {empty} is empty"));
    }
    let bytes: usize = request.inputs.iter().map(String::len).sum();
    if bytes > MAX_PROMPT_BYTES {
        return invalid(format!("the texts have {bytes} bytes; local models take at most {MAX_PROMPT_BYTES} at once"));
    }
    Ok(())
}

//! Documents by how well they answer a query, in the same fair queue as answers.

use std::sync::Arc;

use stoa_model::UserId;
use stoa_model::completion::{CompletionError, KeepAlive, LocalTimings, TimedStep, Timers};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Runtime;
use super::job::{Job, Outlet, Part, Task};
use crate::protocol::{MAX_PROMPT_BYTES, MAX_RERANK_DOCUMENTS};
use stoa_model_store::StoredModel;

/// The most documents of one request.
pub const MAX_DOCUMENTS: usize = 2_048;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerankRequest {
    /// As the store names it: `bge-reranker:v2-m3`.
    pub model: String,
    /// Not empty. It and the documents have at most 4 MiB together.
    pub query: String,
    /// At most [`MAX_DOCUMENTS`].
    pub documents: Vec<String>,
    /// Cut a document that is too long for the model's context beside the query, instead of refusing all of them.
    pub truncate: bool,
    pub keep_alive: Option<KeepAlive>,
    /// Whose request this is, for the fair queue.
    pub tenant: Option<UserId>,
    /// Only `total` counts.
    pub timers: Timers,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reranked {
    /// One for each document, in their order: from 0, which is irrelevant, to 1.
    pub relevances: Vec<f32>,
    /// Which of the documents were cut.
    pub truncated: Vec<usize>,
    /// The query counts again with each document.
    pub prompt_tokens: u64,
    pub timings: LocalTimings,
}

impl Runtime {
    /// Tells how well each document answers a query. A long list takes its turn in the queue again and again, so that
    /// nobody waits for all of it. Dropping the future cancels what is left.
    pub async fn rerank(self: &Arc<Self>, request: RerankRequest) -> Result<Reranked, CompletionError> {
        check(&request)?;
        let deadline = Instant::now() + request.timers.total;
        let model = self.find(request.model.clone()).await?;
        let mut all = Reranked {
            relevances: Vec::with_capacity(request.documents.len()),
            truncated: Vec::new(),
            prompt_tokens: 0,
            timings: LocalTimings::default(),
        };
        for documents in request.documents.chunks(MAX_RERANK_DOCUMENTS) {
            let some = self.rerank_some(&model, &request, documents.to_vec(), &mut all);
            let after = request.timers.total;
            timeout_at(deadline, some)
                .await
                .unwrap_or(Err(CompletionError::TimedOut { step: TimedStep::End, after }))?;
        }
        Ok(all)
    }

    async fn rerank_some(
        &self,
        model: &StoredModel,
        request: &RerankRequest,
        documents: Vec<String>,
        all: &mut Reranked,
    ) -> Result<(), CompletionError> {
        let (parts, mut received) = mpsc::unbounded_channel();
        let job = Job::new(
            Task::Rerank { query: request.query.clone(), documents, truncate: request.truncate },
            request.keep_alive,
            Outlet::Parts(parts),
            Instant::now(),
        );
        self.enqueue(model, request.tenant, job)?;
        while let Some(part) = received.recv().await {
            match part? {
                Part::Score { relevance, truncated } => {
                    if truncated {
                        all.truncated.push(all.relevances.len());
                    }
                    all.relevances.push(relevance);
                }
                Part::Vector { .. } => return Err(CompletionError::CutOff),
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

fn check(request: &RerankRequest) -> Result<(), CompletionError> {
    let invalid = |detail: String| Err(CompletionError::Invalid { detail });
    let documents = request.documents.len();
    if request.query.is_empty() {
        return invalid("the query is empty".to_owned());
    }
    if documents > MAX_DOCUMENTS {
        return invalid(format!("{documents} documents were given; at most {MAX_DOCUMENTS} are taken at once"));
    }
    let bytes = request.query.len() + request.documents.iter().map(String::len).sum::<usize>();
    if bytes > MAX_PROMPT_BYTES {
        return invalid(format!(
            "the query and the documents have {bytes} bytes; local models take at most {MAX_PROMPT_BYTES} at once"
        ));
    }
    Ok(())
}

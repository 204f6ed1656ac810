//! What both doors of reranking have in common: the documents of a request, and the results in their order.

use serde::{Deserialize, Serialize};
use stoa_model::Principal;
use stoa_model::completion::{CompletionError, KeepAlive, LocalTimings, Timers, Usage};
use stoa_model::provider::LOCAL_SLUG;
use stoa_models::{RerankRequest, Reranked};

use crate::app::App;

/// As Jina, Cohere and vLLM take it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a document is a string or an object with a `text`")]
pub(crate) enum Document {
    Text(String),
    Object { text: String },
}

impl Document {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
}

/// A request, whichever door it came through.
pub(crate) struct Asked {
    pub(crate) query: String,
    pub(crate) documents: Vec<Document>,
    /// So many of the best; all when absent.
    pub(crate) top_n: Option<usize>,
    pub(crate) return_documents: bool,
    pub(crate) truncate: bool,
    pub(crate) keep_alive: Option<KeepAlive>,
}

/// The best first.
pub(crate) struct Answer {
    pub(crate) results: Vec<Ranked>,
    pub(crate) prompt_tokens: u64,
    pub(crate) timings: LocalTimings,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ranked {
    /// Its place in the request.
    index: usize,
    relevance_score: f32,
    /// Only its beginning was looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<RankedDocument>,
}

#[derive(Debug, Serialize)]
struct RankedDocument {
    text: String,
}

/// Ranks the documents by the model of that id, `local/name`, as a call in the ledger.
pub(crate) async fn rerank(
    app: &App,
    principal: &Principal,
    model: String,
    asked: Asked,
) -> Result<Answer, CompletionError> {
    let invalid = |detail: &str| CompletionError::Invalid { detail: detail.to_owned() };
    if asked.documents.is_empty() {
        return Err(invalid("there are no documents"));
    }
    if asked.top_n == Some(0) {
        return Err(invalid("`top_n` must be at least 1"));
    }
    let documents: Vec<String> = asked.documents.into_iter().map(Document::into_text).collect();
    let name = model.strip_prefix(LOCAL_SLUG).and_then(|name| name.strip_prefix('/')).map(str::to_owned);
    let kept = if asked.return_documents { documents.clone() } else { Vec::new() };
    let work = async {
        let request = RerankRequest {
            model: name.ok_or_else(|| invalid("only models of this machine rank documents"))?,
            query: asked.query,
            documents,
            truncate: asked.truncate,
            keep_alive: asked.keep_alive,
            tenant: principal.user_id(),
            timers: Timers::default(),
        };
        let reranked = app.local_models.runtime.rerank(request).await?;
        let usage = Usage { prompt_tokens: reranked.prompt_tokens, ..Usage::default() };
        Ok((reranked, usage))
    };
    let reranked = app.dispatch.compute(principal, model, work).await?;
    Ok(Answer {
        results: best_first(&reranked, asked.top_n, kept),
        prompt_tokens: reranked.prompt_tokens,
        timings: reranked.timings,
    })
}

/// `kept` are the documents to be told of again, or none.
fn best_first(reranked: &Reranked, top_n: Option<usize>, mut kept: Vec<String>) -> Vec<Ranked> {
    let mut order: Vec<(usize, f32)> = reranked.relevances.iter().copied().enumerate().collect();
    // Equals stay in the order of the request.
    order.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    order.truncate(top_n.unwrap_or(usize::MAX));
    let ranked = order.into_iter().map(|(index, relevance_score)| {
        let document = kept.get_mut(index).map(|text| RankedDocument { text: std::mem::take(text) });
        Ranked { index, relevance_score, truncated: reranked.truncated.contains(&index), document }
    });
    ranked.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;

    fn ranked(top_n: Option<usize>, kept: &[&str]) -> Value {
        let kept = kept.iter().map(|&text| text.to_owned()).collect();
        let reranked = Reranked {
            relevances: vec![0.25, 0.5, 0.75, 0.5],
            truncated: vec![0],
            prompt_tokens: 0,
            timings: LocalTimings::default(),
        };
        to_value(best_first(&reranked, top_n, kept)).unwrap()
    }

    #[test]
    fn the_best_come_first_and_equals_as_they_came() {
        assert_eq!(
            ranked(None, &[]),
            json!([
                { "index": 2, "relevance_score": 0.75 },
                { "index": 1, "relevance_score": 0.5 },
                { "index": 3, "relevance_score": 0.5 },
                { "index": 0, "relevance_score": 0.25, "truncated": true },
            ])
        );
    }

    #[test]
    fn as_many_are_told_as_were_asked_for_with_their_texts() {
        let best = json!([{ "index": 2, "relevance_score": 0.75, "document": { "text": "c" } }]);
        assert_eq!(ranked(Some(1), &["a", "b", "c", "d"]), best);
        assert_eq!(ranked(Some(9), &[]).as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_document_is_a_string_or_has_a_text() {
        let read = |document: Value| serde_json::from_value::<Document>(document).map(Document::into_text);
        assert_eq!(read(json!("a")).unwrap(), "a");
        assert_eq!(read(json!({ "text": "a", "title": "b" })).unwrap(), "a");
        assert!(read(json!({ "image": "a" })).unwrap_err().to_string().contains("`text`"));
    }
}

//! Texts as vectors, for whoever asks: a call of a local model like any other, which the ledger has.

use stoa_model::Principal;
use stoa_model::completion::{CompletionError, Usage};
use stoa_model::provider::LOCAL_SLUG;
use stoa_models::runtime::{EmbedRequest, Embeddings};

use crate::app::App;

pub(crate) async fn embed(
    app: &App,
    principal: &Principal,
    request: EmbedRequest,
) -> Result<Embeddings, CompletionError> {
    let model = format!("{LOCAL_SLUG}/{}", request.model);
    let work = async {
        let embeddings = app.local_models.runtime.embed(request).await?;
        let usage = Usage { prompt_tokens: embeddings.prompt_tokens, ..Usage::default() };
        Ok((embeddings, usage))
    };
    app.dispatch.compute(principal, model, work).await
}

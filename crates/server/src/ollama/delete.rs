//! `DELETE /api/delete`

use axum::extract::{Request, State};
use http::StatusCode;
use serde::Deserialize;

use super::caller::Manager;
use super::error::Refusal;
use super::{Ollama, body};

#[derive(Deserialize)]
pub(super) struct Named {
    /// As it was once called.
    #[serde(default)]
    name: String,
    #[serde(default)]
    model: String,
}

impl Named {
    pub(super) fn model(self) -> Result<String, Refusal> {
        let name = if self.model.is_empty() { self.name } else { self.model };
        if name.is_empty() { Err(Refusal::invalid("model is required")) } else { Ok(name) }
    }
}

/// The model goes from memory, too, unless another name leads to it: nobody keeps what they were told is gone.
pub(super) async fn delete(
    State(state): State<Ollama>,
    _manager: Manager,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let name = body::<Named>(request).await?.model()?;
    state.models.delete(name).await??;
    Ok(StatusCode::OK)
}

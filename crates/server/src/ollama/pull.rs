//! `POST /api/pull`: brings a model from its registry.

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde::Deserialize;
use stoa_model_store::ModelName;
use stoa_model_store::registry::PullEvent;

use super::caller::Manager;
use super::delete::Named;
use super::error::Refusal;
use super::progress::{self, Layer, Progress};
use super::{Ollama, body};

#[derive(Deserialize)]
pub(super) struct Transfer {
    #[serde(flatten)]
    pub(super) named: Named,
    #[serde(default)]
    pub(super) stream: Option<bool>,
}

impl Transfer {
    pub(super) fn name(self) -> Result<(ModelName, bool), Refusal> {
        let streaming = self.stream.unwrap_or(true);
        let name = self.named.model()?.parse().map_err(|_| Refusal::invalid("invalid model name"))?;
        Ok((name, streaming))
    }
}

pub(super) async fn pull(
    State(state): State<Ollama>,
    _manager: Manager,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, streaming) = body::<Transfer>(request).await?.name()?;
    let models = state.models.clone();
    let lines = state.models.registries.pull(&name).then(move |event| {
        let models = models.clone();
        async move {
            let event = event.map_err(|error| Refusal::from(&*error))?;
            if event == PullEvent::Success {
                (models.refresh)().await;
            }
            Ok(line(&event))
        }
    });
    progress::send(lines.boxed(), streaming).await
}

fn line(event: &PullEvent) -> Progress {
    let layer = match event {
        PullEvent::Pulling { digest, total, completed, .. } => {
            Some(Layer { digest: digest.to_string(), total: *total, completed: *completed })
        }
        _ => None,
    };
    Progress { status: event.status(), layer }
}

//! `POST /api/push`: sends a model to the registry that its name says.

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use stoa_model_store::registry::PushEvent;

use super::caller::Manager;
use super::error::Refusal;
use super::progress::{self, Layer, Progress};
use super::pull::Transfer;
use super::{Ollama, body};

pub(super) async fn push(
    State(state): State<Ollama>,
    _manager: Manager,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, streaming) = body::<Transfer>(request).await?.name()?;
    let events = state.models.registries.push(&name);
    let lines = events.map(|event| event.map(|event| line(&event)).map_err(|error| Refusal::from(&*error)));
    progress::send(lines.boxed(), streaming).await
}

fn line(event: &PushEvent) -> Progress {
    let layer = match event {
        PushEvent::Pushing { digest, total, completed } => {
            Some(Layer { digest: digest.to_string(), total: *total, completed: *completed })
        }
        _ => None,
    };
    Progress { status: event.status(), layer }
}

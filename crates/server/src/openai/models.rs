//! `GET /v1/models` and `GET /v1/models/{model}`

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use stoa_model::Timestamp;
use stoa_model::provider::AvailableModel;
use stoa_providers::outward::{ApiError, ListedModel, encode_anthropic_models, encode_models};

use super::{Refusal, Surface, caller};
use crate::app::App;

pub(super) async fn list_models(State(app): State<App>, parts: Parts) -> Result<Response, Refusal> {
    let principal = caller(&parts, &app).await?;
    let models = app.dispatch.models(&principal);
    let surface = Surface::of(&parts);
    // Both protocols have their list here; clients of Anthropic tell its version with everything they ask.
    if parts.headers.contains_key("anthropic-version") {
        let listed = |model| listed(surface, model).map(|listed| (listed, model.display_name.as_str()));
        return Ok(json(encode_anthropic_models(models.iter().filter_map(listed))));
    }
    Ok(json(encode_models(models.iter().filter_map(|model| listed(surface, model)))))
}

pub(super) async fn get_model(
    State(app): State<App>,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let principal = caller(&parts, &app).await?;
    let models = app.dispatch.models(&principal);
    let surface = Surface::of(&parts);
    let wanted = surface.model_id(&id);
    let model = models.iter().find(|model| model.id == wanted).and_then(|model| listed(surface, model));
    let model = model.ok_or_else(|| ApiError::model_not_found(&id))?;
    let body = serde_json::json!({
        "id": model.id, "object": "model", "created": model.created.as_seconds(), "owned_by": model.owned_by,
    });
    Ok(json(body.to_string().into_bytes()))
}

fn listed(surface: Surface, model: &AvailableModel) -> Option<ListedModel<'_>> {
    // Nobody knows when a provider made a model; clients only show this.
    let id = surface.name_of(&model.id)?;
    Some(ListedModel { id, created: Timestamp::from_millis(0), owned_by: &model.provider })
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

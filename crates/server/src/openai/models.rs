//! `GET /v1/models` and `GET /v1/models/{model}`

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use stoa_model::Timestamp;
use stoa_model::provider::AvailableModel;
use stoa_providers::outward::{ApiError, ListedModel, encode_models};

use super::{Refusal, caller};
use crate::app::App;

pub(super) async fn list_models(State(app): State<App>, parts: Parts) -> Result<Response, Refusal> {
    let principal = caller(&parts, &app).await?;
    let models = app.dispatch.models(&principal);
    Ok(json(encode_models(models.iter().map(listed))))
}

pub(super) async fn get_model(
    State(app): State<App>,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let principal = caller(&parts, &app).await?;
    let models = app.dispatch.models(&principal);
    let model = models.iter().find(|model| model.id == id).ok_or_else(|| ApiError::model_not_found(&id))?;
    let body = serde_json::json!({
        "id": model.id, "object": "model", "created": listed(model).created.as_seconds(), "owned_by": model.provider,
    });
    Ok(json(body.to_string().into_bytes()))
}

fn listed(model: &AvailableModel) -> ListedModel<'_> {
    // Nobody knows when a provider made a model; clients only show this.
    ListedModel { id: &model.id, created: Timestamp::from_millis(0), owned_by: &model.provider }
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

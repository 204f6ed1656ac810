//! `POST /v1/audio/transcriptions`: no model hears yet, and each says so by its name.

use axum::extract::{FromRequest as _, Multipart, Request, State};
use http::StatusCode;
use stoa_providers::outward::ApiError;

use super::{Refusal, Surface, body, caller};
use crate::app::App;

/// Bytes of a model's name.
const NAME_BYTES: usize = 1_024;

/// What of the form matters before anything could be heard.
#[derive(Default)]
struct Form {
    model: Option<String>,
    has_file: bool,
}

pub(super) async fn transcribe(State(app): State<App>, request: Request) -> Result<(), Refusal> {
    let (parts, rest) = request.into_parts();
    let principal = caller(&parts, &app).await?;
    let surface = Surface::of(&parts);
    let bytes = body(Request::from_parts(parts.clone(), rest)).await?;
    let form = read(Request::from_parts(parts, bytes.into()), &app).await?;
    let model = form.model.ok_or_else(|| missing("model"))?;
    if !form.has_file {
        return Err(missing("file").into());
    }
    let id = surface.model_id(&model);
    if app.dispatch.models(&principal).iter().all(|known| known.id != id) {
        return Err(ApiError::model_not_found(&model).into());
    }
    let message = format!("The model `{model}` takes no audio, and no other here does.");
    Err(ApiError::invalid("unsupported_value", "model", message).into())
}

async fn read(request: Request, app: &App) -> Result<Form, ApiError> {
    let mut fields = Multipart::from_request(request, app).await.map_err(|error| malformed(&error))?;
    let mut form = Form::default();
    while let Some(mut field) = fields.next_field().await.map_err(|error| malformed(&error))? {
        match field.name() {
            Some("model") => {
                let mut name = Vec::new();
                while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
                    name.extend_from_slice(&chunk);
                    if name.len() > NAME_BYTES {
                        return Err(ApiError::invalid("invalid_value", "model", "The model's name is too long."));
                    }
                }
                form.model = String::from_utf8(name).ok().filter(|name| !name.is_empty());
            }
            Some("file") => form.has_file = field.chunk().await.map_err(|error| malformed(&error))?.is_some(),
            _ => {}
        }
    }
    Ok(form)
}

fn malformed(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let message = format!("The body must be a form (`multipart/form-data`): {}.", crate::problem::chain(error));
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

fn missing(field: &'static str) -> ApiError {
    ApiError::invalid("missing_required_parameter", field, format!("`{field}` is missing."))
}

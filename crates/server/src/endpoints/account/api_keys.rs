//! `GET` and `POST /api/v1/api-keys`, `DELETE /api/v1/api-keys/{id}`

use axum::Json as Answer;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use stoa_identity::NewKey;
use stoa_model::{ApiKeyId, Scope, Timestamp};

use crate::app::App;
use crate::extract::{Caller, Id, InPerson, Json};
use crate::problem::{ProblemBody, Result};

/// An API key without its secret.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ApiKey {
    id: ApiKeyId,
    name: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    #[schema(required)]
    expires_at: Option<Timestamp>,
    #[schema(required)]
    last_used_at: Option<Timestamp>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ApiKeyList {
    items: Vec<ApiKey>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateApiKey {
    /// 1 to 100 characters.
    name: String,
    /// `["infer"]` when absent.
    scopes: Option<Vec<Scope>>,
    /// Never, when absent.
    expires_at: Option<Timestamp>,
}

/// A new API key. `key` is in no other answer ever again.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedApiKey {
    id: ApiKeyId,
    /// What the bearer presents.
    key: String,
    name: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    #[schema(required)]
    expires_at: Option<Timestamp>,
}

/// Lists the caller's API keys, the newest first.
#[utoipa::path(
    get, path = "/api-keys", tag = "account",
    responses((status = 200, body = ApiKeyList), (status = 401, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_api_keys(State(app): State<App>, Caller(principal): Caller) -> Result<Answer<ApiKeyList>> {
    let keys = app.database.api_keys(&principal).await?;
    let items = keys
        .into_iter()
        .map(|key| ApiKey {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        })
        .collect();
    Ok(Answer(ApiKeyList { items }))
}

/// Makes an API key and shows it this once.
#[utoipa::path(
    post, path = "/api-keys", tag = "account", request_body = CreateApiKey,
    responses(
        (status = 201, body = CreatedApiKey),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_api_key(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Json(new): Json<CreateApiKey>,
) -> Result<impl IntoResponse> {
    let new = NewKey { name: new.name, scopes: new.scopes, expires_at: new.expires_at };
    let (key, text) = app.door.create_api_key(&principal, new).await?;
    let created = CreatedApiKey {
        id: key.id,
        key: text.to_text(),
        name: key.name,
        scopes: key.scopes,
        created_at: key.created_at,
        expires_at: key.expires_at,
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Answer(created)))
}

/// Deletes an API key. It opens nothing from now on.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "account", params(("id" = ApiKeyId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_api_key(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode> {
    app.database.delete_api_key(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v1/function-volumes/{name}/files`: what is in a volume. No link is followed, wherever it leads.

use axum::Json;
use axum::extract::{Path, Request, State};
use futures_util::TryStreamExt as _;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_functions_service::{Item, ItemKind};
use stoa_model::{Timestamp, volume};

use super::named;
use crate::app::App;
use crate::body_limits::VOLUME_FILE_BYTES;
use crate::extract::{Caller, Query};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VolumePath {
    /// From the top folder of the volume, with `/` between names.
    path: String,
}

impl VolumePath {
    /// Of something in the volume, and not the volume itself.
    pub(super) fn inner(&self) -> Result<String> {
        if self.path.is_empty() {
            return Err(Problem::field("path", "Name a file or a folder."));
        }
        Ok(volume::path("path", &self.path)?)
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FolderPath {
    /// The top folder when absent.
    path: Option<String>,
}

#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum VolumeFileKind {
    Folder,
    File,
    /// It is shown and removed, and never followed.
    Link,
    /// A pipe, a socket, a device, or what has no name in UTF-8.
    Other,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VolumeFile {
    name: String,
    kind: VolumeFileKind,
    /// Of a file.
    bytes: u64,
    modified_at: Timestamp,
}

impl From<Item> for VolumeFile {
    fn from(item: Item) -> Self {
        let kind = match item.kind {
            ItemKind::Folder => VolumeFileKind::Folder,
            ItemKind::File => VolumeFileKind::File,
            ItemKind::Link => VolumeFileKind::Link,
            ItemKind::Other => VolumeFileKind::Other,
        };
        let modified_at = Timestamp::from_millis(item.modified_ms);
        Self { name: item.name, kind, bytes: item.bytes, modified_at }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VolumeFolder {
    /// At most 1,000: folders first, then the others, by their names.
    items: Vec<VolumeFile>,
    /// Whether there is more than that.
    more: bool,
}

/// Lists a folder of a volume.
#[utoipa::path(
    get, path = "/function-volumes/{name}/files", tag = "functions", params(("name" = String, Path), FolderPath),
    responses(
        (status = 200, body = VolumeFolder),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_volume_files(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<FolderPath>,
) -> Result<Json<VolumeFolder>> {
    let found = named(&app, &caller, &name).await?;
    let path = volume::path("path", query.path.as_deref().unwrap_or_default())?;
    let listing = app.functions.list_volume(&found, path).await?;
    Ok(Json(VolumeFolder { items: listing.items.into_iter().map(Into::into).collect(), more: listing.more }))
}

/// Writes a file, in the place of the one that was there. Folders on the way are made. It appears when all of it has come, at
/// most 4 GiB.
#[utoipa::path(
    put, path = "/function-volumes/{name}/files", tag = "functions", params(("name" = String, Path), VolumePath),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, body = ProblemBody, content_type = "application/problem+json", description = "volume_full"),
    )
)]
pub(super) async fn put_volume_file(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<VolumePath>,
    request: Request,
) -> Result<StatusCode> {
    let found = named(&app, &caller, &name).await?;
    let path = query.inner()?;
    let pieces = request.into_body().into_data_stream().map_err(Into::into);
    app.functions.write_volume(&found, path, Box::pin(pieces), VOLUME_FILE_BYTES).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a file, or a folder with all that is in it.
#[utoipa::path(
    delete, path = "/function-volumes/{name}/files", tag = "functions", params(("name" = String, Path), VolumePath),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "volume_busy"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_volume_file(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<VolumePath>,
) -> Result<StatusCode> {
    let found = named(&app, &caller, &name).await?;
    app.functions.remove_from_volume(&found, query.inner()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

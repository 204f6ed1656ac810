//! `/api/v1/functions/{id}/code`: files are changed a few at once, or all of them by an archive; every change is whole.

use axum::Json as Answer;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stoa_functions_service::Code;
use stoa_model::FunctionId;
use stoa_model::function::{Function, MAX_CODE_FILES};
use stoa_storage::{FunctionChange, StoredCode};

use crate::app::App;
use crate::extract::{Caller, Id, Json, Query, read_body};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of a change: all the code there may be, in base64.
const BODY_BYTES: usize = 34 * 1024 * 1024;
const ARCHIVE_BYTES: usize = 24 * 1024 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeCode {
    /// The one that the changes were made from.
    revision: i64,
    /// In their order.
    changes: Vec<FileChange>,
}

/// One of `text`, `base64`, `deleted` and `moved_to`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileChange {
    /// Relative, with `/`.
    path: String,
    text: Option<String>,
    base64: Option<String>,
    deleted: Option<bool>,
    moved_to: Option<String>,
    /// As it was when absent.
    executable: Option<bool>,
}

/// Writes, moves and removes files.
#[utoipa::path(
    put, path = "/functions/{id}/code", tag = "functions", params(("id" = FunctionId, Path)), request_body = ChangeCode,
    responses(
        (status = 200, body = Function),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "function_changed"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_code(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Json(change): Json<ChangeCode, BODY_BYTES>,
) -> Result<Answer<Function>> {
    if change.changes.len() > MAX_CODE_FILES {
        return Err(Problem::field("changes", format!("At most {MAX_CODE_FILES} at once.")));
    }
    let stored = app.database.function_code(&principal, id).await?;
    let mut code = read(&app, &stored).await?;
    for one in change.changes {
        apply(&mut code, one)?;
    }
    let code = keep(&app, &code.checked()?).await?;
    let change = FunctionChange { code: Some(code), revision: Some(change.revision), ..FunctionChange::default() };
    Ok(Answer(app.database.change_function(&principal, id, change, app.now()).await?))
}

fn apply(code: &mut Code, change: FileChange) -> Result<()> {
    let FileChange { path, text, base64, deleted, moved_to, executable } = change;
    let was = code.get(&path).is_some_and(|entry| entry.executable);
    let executable = executable.unwrap_or(was);
    match (text, base64, deleted, moved_to) {
        (Some(text), None, None, None) => code.put(&path, text.into(), executable)?,
        (None, Some(base64), None, None) => {
            let bytes = STANDARD.decode(base64).map_err(|error| Problem::field("base64", format!("{error}.")))?;
            code.put(&path, bytes.into(), executable)?;
        }
        (None, None, Some(true), None) => {
            code.remove(&path)?;
        }
        (None, None, None, Some(to)) => {
            if code.get(&to).is_some() {
                return Err(Problem::field("moved_to", "There is a file of that name already."));
            }
            let entry = code.remove(&path)?;
            code.put(&to, entry.bytes, executable)?;
        }
        _ => return Err(Problem::field("changes", "Each has one of `text`, `base64`, `deleted` and `moved_to`.")),
    }
    Ok(())
}

#[derive(Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArchiveQuery {
    /// The one that the archive replaces.
    revision: i64,
}

/// Replaces all files by those of a zip file.
#[utoipa::path(
    post, path = "/functions/{id}/code/archive", tag = "functions",
    params(("id" = FunctionId, Path), ArchiveQuery),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 200, body = Function),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "function_changed"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upload_code(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Query(query): Query<ArchiveQuery>,
    request: Request,
) -> Result<Answer<Function>> {
    app.database.function_code(&principal, id).await?;
    let bytes = read_body(request, ARCHIVE_BYTES).await?;
    // Unpacking takes a while.
    let code = tokio::task::spawn_blocking(move || Code::from_zip(&bytes)).await;
    let code = code.map_err(|error| Problem::internal(error.to_string()))??;
    let code = keep(&app, &code).await?;
    let change = FunctionChange { code: Some(code), revision: Some(query.revision), ..FunctionChange::default() };
    Ok(Answer(app.database.change_function(&principal, id, change, app.now()).await?))
}

#[derive(Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    path: String,
    /// Of this version; without it, as it is now.
    version: Option<u32>,
}

/// A file: its text, or its bytes where it is none.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CodeFileContent {
    path: String,
    #[schema(required)]
    text: Option<String>,
    #[schema(required)]
    base64: Option<String>,
}

/// What is in a file.
#[utoipa::path(
    get, path = "/functions/{id}/code/file", tag = "functions", params(("id" = FunctionId, Path), FileQuery),
    responses(
        (status = 200, body = CodeFileContent),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_code_file(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Query(query): Query<FileQuery>,
) -> Result<Answer<CodeFileContent>> {
    let stored = match query.version {
        Some(number) => app.database.function_version_code(&principal, id, number).await?,
        None => app.database.function_code(&principal, id).await?,
    };
    let code = read(&app, &stored).await?;
    let entry = code.get(&query.path).ok_or_else(Problem::not_found)?;
    let text = std::str::from_utf8(&entry.bytes).ok().filter(|text| !text.contains('\0')).map(str::to_owned);
    let base64 = text.is_none().then(|| STANDARD.encode(&entry.bytes));
    Ok(Answer(CodeFileContent { path: query.path, text, base64 }))
}

async fn read(app: &App, stored: &StoredCode) -> Result<Code> {
    let archive = app.files.read(&stored.digest).await?;
    Code::from_archive(&archive).map_err(|error| Problem::internal(error.to_string()))
}

/// Puts code into the object store.
pub(super) async fn keep(app: &App, code: &Code) -> Result<StoredCode> {
    let archive: Bytes = code.archive().map_err(|error| Problem::internal(error.to_string()))?;
    let digest = app.files.put(app, archive).await?;
    Ok(StoredCode { digest: digest.to_string(), files: code.listing() })
}

//! `/api/v1/functions/{id}/aliases/{alias}`: names that stand for versions.

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use stoa_model::FunctionId;
use stoa_model::function::{AliasChange, FunctionAlias, label};

use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

fn named(path: Path<(String, String)>) -> Result<(FunctionId, String)> {
    let Path((id, alias)) = path;
    Ok((id.parse().map_err(|_| Problem::not_found())?, alias))
}

/// Makes an alias, or gives it to other versions.
#[utoipa::path(
    put, path = "/functions/{id}/aliases/{alias}", tag = "functions",
    params(("id" = FunctionId, Path), ("alias" = String, Path)),
    request_body = AliasChange,
    responses(
        (status = 200, body = FunctionAlias),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_alias(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
    Json(change): Json<AliasChange>,
) -> Result<Answer<FunctionAlias>> {
    let (id, alias) = named(path)?;
    // `latest` and numbers say something else where an alias may stand.
    let alias = label("alias", &alias)?;
    if alias == "latest" {
        return Err(Problem::field("alias", "`latest` is what is not published yet."));
    }
    let alias = app.database.put_function_alias(&principal, id, &alias, change.checked()?, app.now()).await?;
    Ok(Answer(alias))
}

/// Removes an alias that nothing uses.
#[utoipa::path(
    delete, path = "/functions/{id}/aliases/{alias}", tag = "functions",
    params(("id" = FunctionId, Path), ("alias" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_alias(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
) -> Result<StatusCode> {
    let (id, alias) = named(path)?;
    app.database.delete_function_alias(&principal, id, &alias).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an alias to the version that it tries.
#[utoipa::path(
    post, path = "/functions/{id}/aliases/{alias}/promote", tag = "functions",
    params(("id" = FunctionId, Path), ("alias" = String, Path)),
    responses(
        (status = 200, body = FunctionAlias),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn promote_alias(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
) -> Result<Answer<FunctionAlias>> {
    let (id, alias) = named(path)?;
    Ok(Answer(app.database.promote_function_alias(&principal, id, &alias, app.now()).await?))
}

/// Gives an alias back to the version that it had before, and stops trying another.
#[utoipa::path(
    post, path = "/functions/{id}/aliases/{alias}/rollback", tag = "functions",
    params(("id" = FunctionId, Path), ("alias" = String, Path)),
    responses(
        (status = 200, body = FunctionAlias),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn roll_back_alias(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
) -> Result<Answer<FunctionAlias>> {
    let (id, alias) = named(path)?;
    Ok(Answer(app.database.roll_back_function_alias(&principal, id, &alias, app.now()).await?))
}

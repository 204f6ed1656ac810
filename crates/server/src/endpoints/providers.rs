//! Providers of models, for owners and admins: their settings, their models, and whether they answer.

mod check;
pub(in crate::endpoints) mod client;
mod create;
mod delete;
mod fetch_models;
pub(in crate::endpoints) mod fields;
mod get;
mod list;
mod put_models;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_providers, create::create_provider))
        .routes(routes!(get::get_provider, update::update_provider, delete::delete_provider))
        .routes(routes!(check::check_provider))
        .routes(routes!(fetch_models::fetch_models))
        .routes(routes!(put_models::put_models))
}

/// Puts a change in force here before it is answered; other replicas hear of it by the feed.
pub(in crate::endpoints) async fn in_force(app: &App) {
    if let Err(error) = app.dispatch.reload().await {
        tracing::warn!(%error, "providers could not be read again; the feed brings them");
    }
}

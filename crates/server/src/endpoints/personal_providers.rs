//! Providers that a person owns: their browser calls them, the server only keeps what it needs for that.

mod change;
mod connection;
mod create;
mod delete;
mod list;
mod put_models;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Problem, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_personal_providers, create::create_personal_provider))
        .routes(routes!(change::change_personal_provider, delete::delete_personal_provider))
        .routes(routes!(put_models::put_personal_models))
        .routes(routes!(connection::get_personal_connection))
}

/// Refuses where whoever runs this server has switched providers of one's own off.
fn allowed(app: &App) -> Result<()> {
    if app.options.personal_providers {
        return Ok(());
    }
    let detail = "Providers of one's own are switched off here.";
    Err(Problem::new(http::StatusCode::FORBIDDEN, "personal_providers_off", detail)
        .hint("Ask whoever runs this server (STOA_PERSONAL_PROVIDERS)."))
}

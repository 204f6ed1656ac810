//! Links to conversations, for those who make them.

mod change;
mod create;
mod delete;
mod list;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create_share))
        .routes(routes!(list::list_shares))
        .routes(routes!(change::change_share, delete::delete_share))
}

//! The one stream of a tab: everything it follows and every change of its lists.

mod open;
mod subscribe;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(open::open_events)).routes(routes!(subscribe::change_subscriptions))
}

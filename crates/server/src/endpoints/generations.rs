//! Generations: follow one, stop one, write one that is one's own browser's to write.

mod events;
mod stop;
mod upload;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(stop::stop_generation))
        .routes(routes!(events::follow_generation))
        .routes(routes!(upload::upload_deltas))
}

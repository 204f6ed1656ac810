//! Generations: follow one, stop one.

mod events;
mod stop;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(stop::stop_generation)).routes(routes!(events::follow_generation))
}

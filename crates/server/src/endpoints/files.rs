//! Files: pictures that people upload to put them into messages.

mod delete;
mod get;
mod upload;

pub(crate) use get::{FileQuery, blob, picture};
pub(crate) use upload::received;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload::upload_file)).routes(routes!(get::get_file, delete::delete_file))
}

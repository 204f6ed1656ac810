//! What a link opens, for whoever came by it. Its token is in the path, as it is in the address of the page.

mod copy;
mod file;
mod get;
mod messages;

use axum::middleware::map_response;
use axum::response::Response;
use http::HeaderValue;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::pages::ROBOTS;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get::get_shared))
        .routes(routes!(messages::list_shared_messages))
        .routes(routes!(file::get_shared_file))
        .routes(routes!(copy::copy_shared))
        .layer(map_response(unlisted))
}

async fn unlisted(mut response: Response) -> Response {
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
    response
}

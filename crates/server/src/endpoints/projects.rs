//! Projects: folders of conversations with instructions for all of them.

mod change;
mod create;
mod delete;
mod get;
mod list;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Bytes of a profile: long instructions, in which JSON may write a byte as six.
const BODY_BYTES: usize = 512 * 1024;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list_projects, create::create_project)).routes(routes!(
        get::get_project,
        change::change_project,
        delete::delete_project
    ))
}

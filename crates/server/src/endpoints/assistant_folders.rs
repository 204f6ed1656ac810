//! Folders of assistants: in their owner's order, made, renamed, folded up and taken away.

mod change;
mod create;
mod delete;
mod list;
mod order;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_assistant_folders, create::create_assistant_folder))
        .routes(routes!(order::order_assistant_folders))
        .routes(routes!(change::change_assistant_folder, delete::delete_assistant_folder))
}

//! Members, for owners and admins: the list, a new one, changes.

mod create;
mod list;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list_users, create::create_user)).routes(routes!(update::update_user))
}

//! Prompts: texts to write again, with places to fill in.

mod change;
mod create;
mod delete;
mod list;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Bytes of a profile: a long text, in which JSON may write a byte as six.
const BODY_BYTES: usize = 1024 * 1024;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_prompts, create::create_prompt))
        .routes(routes!(change::change_prompt, delete::delete_prompt))
}

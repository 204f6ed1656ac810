//! Conversations: the list, one, its changes, and its deletion with a way back.

mod bulk;
mod change;
mod context;
mod create;
mod delete;
mod export;
mod get;
mod list;
mod read;
mod restore;
mod tags;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Characters of a title.
const TITLE_LENGTH: usize = 200;
/// Bytes of the text that tells a model what to be.
pub(crate) const ROLE_BYTES: usize = 64 * 1024;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_conversations, create::create_conversation))
        .routes(routes!(get::get_conversation, change::change_conversation, delete::delete_conversation))
        .routes(routes!(bulk::change_conversations))
        .routes(routes!(tags::list_tags))
        .routes(routes!(context::read_context))
        .routes(routes!(export::export_conversation))
        .routes(routes!(restore::restore_conversation))
        .routes(routes!(read::mark_conversation_read))
}

/// A title as it is kept: one line, trimmed.
fn clean_title(title: &str) -> Result<String, crate::problem::Problem> {
    let clean = title.trim();
    if clean.chars().count() > TITLE_LENGTH {
        return Err(crate::problem::Problem::field("title", format!("at most {TITLE_LENGTH} characters")));
    }
    if clean.chars().any(char::is_control) {
        return Err(crate::problem::Problem::field("title", "no line breaks or control characters"));
    }
    Ok(clean.to_owned())
}

//! Assistants: the list in its owner's order, one, its changes, its copies, its deletion with a way back, and whom it is shared
//! with.

mod change;
mod create;
mod delete;
mod describe;
mod duplicate;
mod export;
mod filed;
mod folder;
mod get;
mod import;
mod list;
mod of_others;
mod order;
mod picture;
mod restore;
mod shares;

use stoa_model::assistant::InvalidProfile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;

/// Bytes of a profile: a long role, in which JSON may write a byte as six.
const BODY_BYTES: usize = 1024 * 1024;
/// The format of files that hold assistants.
const FORMAT: &str = "stoa.assistants";
const VERSION: u32 = 1;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_assistants, create::create_assistant))
        .routes(routes!(order::order_assistants))
        .routes(routes!(export::export_assistants))
        .routes(routes!(import::import_assistants))
        .routes(routes!(get::get_assistant, change::change_assistant, delete::delete_assistant))
        .routes(routes!(duplicate::duplicate_assistant))
        .routes(routes!(restore::restore_assistant))
        .routes(routes!(describe::describe_assistant))
        .routes(routes!(of_others::list_shared_assistants))
        .routes(routes!(shares::list_assistant_shares, shares::share_assistant))
        .routes(routes!(shares::unshare_assistant))
        .routes(routes!(
            picture::get_assistant_picture,
            picture::put_assistant_picture,
            picture::delete_assistant_picture
        ))
        .routes(routes!(folder::put_assistant_into_folder))
}

impl From<InvalidProfile> for Problem {
    fn from(error: InvalidProfile) -> Self {
        Self::field(error.field, error.problem)
    }
}

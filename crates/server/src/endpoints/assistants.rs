//! Assistants: the list in its owner's order, one, its changes, its copies, and its deletion with a way back.

mod change;
mod create;
mod delete;
mod duplicate;
mod export;
mod get;
mod import;
mod list;
mod order;
mod restore;

use serde::{Deserialize, Serialize};
use stoa_model::assistant::{AssistantProfile, InvalidProfile};
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
}

/// Assistants as a file.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantFile {
    /// `stoa.assistants`
    format: String,
    /// 1
    version: u32,
    assistants: Vec<AssistantProfile>,
}

impl From<InvalidProfile> for Problem {
    fn from(error: InvalidProfile) -> Self {
        Self::field(error.field, error.problem)
    }
}

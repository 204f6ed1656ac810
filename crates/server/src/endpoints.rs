//! `/api/v1`: one file an endpoint.

pub(crate) mod account;
pub(crate) mod assistant_folders;
pub(crate) mod assistants;
pub(crate) mod conversations;
pub(crate) mod egress;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod files;
mod function_volumes;
pub(crate) mod functions;
pub(crate) mod generations;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod local_models;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod openapi;
pub(crate) mod personal_providers;
pub(crate) mod projects;
pub(crate) mod prompts;
pub(crate) mod providers;
pub(crate) mod search;
pub(crate) mod shared;
pub(crate) mod shares;
pub(crate) mod sharing;
pub(crate) mod usage;
pub(crate) mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(conversations::routes())
        .merge(messages::routes())
        .merge(files::routes())
        .merge(functions::routes())
        .merge(function_volumes::routes())
        .merge(generations::routes())
        .merge(events::routes())
        .merge(export::routes())
        .merge(import::routes())
        .merge(projects::routes())
        .merge(prompts::routes())
        .merge(search::routes())
        .merge(shares::routes())
        .merge(shared::routes())
        .merge(sharing::routes())
        .merge(models::routes())
        .merge(assistants::routes())
        .merge(assistant_folders::routes())
        .merge(local_models::routes())
        .merge(account::routes())
        .merge(users::routes())
        .merge(usage::routes())
        .merge(providers::routes())
        .merge(personal_providers::routes())
        .merge(egress::routes())
        .merge(openapi::routes())
}

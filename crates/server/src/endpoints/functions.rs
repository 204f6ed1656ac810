//! Functions: people's own programs, from their code to who answers whom.

mod account;
mod aliases;
mod build;
mod change;
mod code;
mod create;
mod delete;
mod engine;
mod get;
mod instances;
mod list;
mod logs;
mod metrics;
mod model;
mod problem;
mod publish;
mod secrets;
mod settings;
mod templates;
mod timers;
mod try_out;
mod versions;
mod window;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) use problem::refused;
pub(crate) use try_out::{own_hop, passed_on, passed_on_head};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_functions, create::create_function))
        .routes(routes!(engine::function_engine))
        .routes(routes!(account::function_account))
        .routes(routes!(account::function_accounts))
        .routes(routes!(account::function_account_of))
        .routes(routes!(templates::function_templates))
        .routes(routes!(get::get_function, change::change_function, delete::delete_function))
        .routes(routes!(code::change_code))
        .routes(routes!(code::upload_code))
        .routes(routes!(code::get_code_file))
        .routes(routes!(versions::list_function_versions, publish::publish_function))
        .routes(routes!(aliases::put_alias, aliases::delete_alias))
        .routes(routes!(aliases::promote_alias))
        .routes(routes!(aliases::roll_back_alias))
        .routes(routes!(build::function_build, build::build_function))
        .routes(routes!(secrets::put_secret, secrets::delete_secret))
        .routes(routes!(try_out::try_function))
        .routes(routes!(instances::list_instances))
        .routes(routes!(logs::function_logs))
        .routes(routes!(metrics::function_metrics))
        .routes(routes!(model::make_model, model::unmake_model))
        .routes(routes!(timers::list_timers, timers::create_timer))
        .routes(routes!(timers::change_timer, timers::delete_timer))
}

//! The service of functions, as the operator wants it.

use std::sync::Arc;

use anyhow::Context as _;
use stoa_functions_service::{FunctionService, Options};
use stoa_model::Clock;
use stoa_objects::Objects;
use stoa_storage::Database;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, FunctionMakers};

pub(super) fn start(
    config: &Config,
    database: &Database,
    objects: &Objects,
    clock: &Arc<dyn Clock>,
    tracker: &TaskTracker,
    helpers: CancellationToken,
) -> anyhow::Result<FunctionService> {
    let options = Options {
        enabled: config.functions != FunctionMakers::Nobody,
        folder: config.functions_dir.clone(),
        init: std::env::current_exe().context("this program's own path is not known")?,
        runtimes: config.function_runtimes.clone(),
        waiting: config.functions_waiting,
    };
    let (database, objects, clock) = (database.clone(), objects.clone(), Arc::clone(clock));
    Ok(FunctionService::start(options, database, objects, clock, tracker.clone(), helpers))
}

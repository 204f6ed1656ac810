//! The service of functions, as the operator wants it.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use stoa_egress::{BoxedStream, Egress};
use stoa_functions_service::{BuildOptions, FunctionService, Home, JobLimits, Options, Parts, Prices};
use stoa_identity::Door;
use stoa_model::Clock;
use stoa_objects::Objects;
use stoa_storage::Database;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

pub(super) fn parts(
    database: &Database,
    objects: &Objects,
    egress: &Egress,
    door: &Door,
    clock: &Arc<dyn Clock>,
) -> Parts {
    Parts {
        database: database.clone(),
        objects: objects.clone(),
        egress: egress.clone(),
        door: door.clone(),
        clock: Arc::clone(clock),
    }
}

pub(super) fn start(
    config: &Config,
    parts: Parts,
    tracker: &TaskTracker,
    helpers: CancellationToken,
) -> anyhow::Result<FunctionService> {
    let options = Options {
        makers: config.functions,
        folder: config.functions_dir.clone(),
        volumes: config.function_volumes_dir.clone(),
        volumes_per_person_mib: config.function_volumes_per_person_mib,
        init: std::env::current_exe().context("this program's own path is not known")?,
        runtimes: config.function_runtimes.clone(),
        waiting: config.functions_waiting,
        prepared: config.functions_prepared,
        prices: Prices {
            cpu_second: config.function_price_cpu_second,
            gb_second: config.function_price_gb_second,
            million_calls: config.function_price_million_calls,
        },
        builds: BuildOptions {
            pip_index: config.pip_index.clone(),
            npm_registry: config.npm_registry.clone(),
            hosts: config.build_hosts.clone(),
            limits: JobLimits { disk_bytes: PACKAGES_BYTES, ..JobLimits::default() },
            ..BuildOptions::default()
        },
    };
    Ok(FunctionService::start(options, parts, tracker, helpers))
}

/// Of the packages of one function.
const PACKAGES_BYTES: u64 = 1 << 30;

/// What waits in the pipe in either direction.
const PIPE_BYTES: usize = 64 * 1024;

/// The server for its own functions: the protocols of models, and other functions. They show their token, or what anybody
/// would show.
pub(super) struct ForFunctions {
    pub(super) routes: Router,
    pub(super) tracker: TaskTracker,
}

impl Home for ForFunctions {
    fn connect(&self) -> BoxedStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let service = TowerToHyperService::new(self.routes.clone());
        self.tracker.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
            let served = connection.with_upgrades().await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection of a function has ended early");
            }
        });
        Box::new(ours)
    }
}

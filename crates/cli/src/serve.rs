//! `stoa serve`: puts the parts together, serves, and takes them apart again in the opposite order.

mod functions;
mod local_models;
mod metrics;
pub(crate) mod network;

mod objects;
mod ollama;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use stoa_chat::{Engine, EngineOptions};
use stoa_dispatch::Dispatch;
use stoa_functions_service::InsideFunctions;
use stoa_identity::{Door, SetupToken};
use stoa_listener::{Listener, ListenerOptions, RequestBody, Tls};
use stoa_model::{Clock, SystemClock};
use stoa_model_store::Store;
use stoa_models::{Runtime, RuntimeOptions, WorkerProgram};
use stoa_server::{App, AppOptions, FileService, TrustedProxies};
use stoa_storage::{Database, MasterKey};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Config;
use crate::data_dir::{self, DataDir};

/// What is left to end when everything was told to: then the process goes all the same.
const LAST_TASKS: Duration = Duration::from_secs(5);

pub(crate) async fn serve(config: Config) -> anyhow::Result<()> {
    let begun = std::time::Instant::now();
    let url = config.database_url.as_ref().map(|url| url.expose().to_owned());
    let url = url.unwrap_or_else(|| format!("sqlite://{}", config.data_dir.join("stoa.db").display()));
    let sqlite = url.starts_with("sqlite:");
    let data_dir = DataDir::take(&config.data_dir);
    // With PostgreSQL the directory only holds models, and replicas may share it.
    let _data_dir = if sqlite { Some(data_dir?) } else { data_dir.ok() };
    let key = data_dir::master_key(&config, sqlite)?;
    let trusted_proxies =
        TrustedProxies::parse(config.trusted_proxies.iter().map(String::as_str)).context("STOA_TRUSTED_PROXIES")?;
    let tracker = TaskTracker::new();
    let helpers = CancellationToken::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);

    // Before anything that takes long, so that a port in use is said at once.
    let options =
        ListenerOptions { drain_timeout: config.drain + Duration::from_secs(5), ..ListenerOptions::default() };
    let mut listener = Listener::bind(config.listen, options)?;
    let mut ollama_listener = ollama::bind(&config)?;
    if let Some((certificate, key)) = &config.tls {
        let tls = Tls::load(certificate, key).context("STOA_TLS_CERTIFICATE")?;
        let (follow, helpers) = (Arc::clone(&tls).follow(), helpers.clone());
        tracker.spawn(async move { helpers.run_until_cancelled(follow).await });
        ollama_listener = ollama_listener.map(|listener| ollama::with_tls(listener, &tls));
        listener = listener.with_tls(tls);
    }
    let (scheme, address) = (listener.scheme(), listener.local_addr());
    let database = Database::open(&url, key.clone(), &tracker).await.context("the database")?;
    let egress = network::egress(&config, &database, &tracker, &helpers).await?;
    let door = open_door(&config, &database, &key, &clock, &tracker, &helpers).await?;
    let objects = objects::open(&config)?;
    tracker.spawn(objects::look(objects.clone(), Arc::clone(&clock), helpers.clone()));
    let runtime = local_runtime(&config, &tracker, &clock)?;
    let local = local_models::follow(Arc::clone(&runtime), &tracker, helpers.clone()).await;
    tracker.spawn(local_models::collect(Arc::clone(runtime.store()), helpers.clone()));
    let parts = functions::parts(&database, &objects, &egress, &door, &clock);
    let functions = functions::start(&config, parts, &tracker, helpers.clone())?;
    // Providers reach functions as well, without a network.
    let providers = egress.with_inside(Arc::new(InsideFunctions(functions.clone())));
    let factory = Box::new(network::Providers { egress: providers.clone() });
    let local_models = local_models::service(&config, &egress, &runtime, &local, &clock, &tracker)?;
    let registries = local_models.registries.clone();
    let dispatch =
        Dispatch::start(database.clone(), factory, local, Arc::clone(&clock), &tracker, helpers.clone()).await?;
    let chat = Engine::start(
        database.clone(),
        dispatch.clone(),
        objects.clone(),
        Arc::clone(&clock),
        tracker.clone(),
        chat_options(&config),
    )
    .await?;
    let figures = metrics::gather(&dispatch, &runtime);
    let app = App {
        database: database.clone(),
        door,
        chat: chat.clone(),
        dispatch,
        egress: providers,
        functions: functions.clone(),
        files: FileService::new(objects, config.files_per_user),
        local_models,
        clock,
        options: Arc::new(AppOptions {
            secure_cookies: config.secure_cookies || config.tls.is_some(),
            loopback_only: address.ip().is_loopback(),
            personal_providers: config.personal_providers,
            trusted_proxies,
            figures,
            metrics_token: config.metrics_token.clone(),
        }),
    };
    let stop = CancellationToken::new();
    if let Some(listener) = ollama_listener {
        ollama::serve(listener, app.clone(), config.ollama_hosts.clone(), stop.clone(), &tracker);
    }
    let routes = stoa_server::routes_for_functions(app.clone());
    functions.set_home(Arc::new(functions::ForFunctions { routes, tracker: tracker.clone() }));
    let service = stoa_server::application(app).map_request(bounded);

    let serving = tracker.spawn(listener.serve(service, stop.clone(), tracker.clone()));
    let ready_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%address, ready_ms, "ready at {scheme}://{address}");

    let signal = stop_signal().await?;
    tracing::info!(signal, "stopping");
    chat.shutdown(config.drain).await;
    stop.cancel();
    let drained = serving.await.context("the listener ended badly")?;
    tracing::debug!(?drained, "the listener has ended");
    registries.shutdown().await;
    runtime.shutdown().await;
    functions.shutdown().await;
    helpers.cancel();
    tracker.close();
    database.close().await;
    if tokio::time::timeout(LAST_TASKS, tracker.wait()).await.is_err() {
        tracing::warn!(tasks = tracker.len(), "some tasks did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}

fn chat_options(config: &Config) -> EngineOptions {
    EngineOptions {
        history_messages: config.history_messages,
        titles: config.titles,
        summaries: config.summaries,
        answers_per_user: config.answers_per_user,
        streams_per_user: config.streams_per_user,
        personal_providers: config.personal_providers,
    }
}

/// The body under the caps that its path has.
fn bounded(request: http::Request<RequestBody>) -> http::Request<axum::body::Body> {
    let limits = stoa_server::body_limits(request.uri().path());
    request.map(|body| axum::body::Body::new(body.with_limits(limits)))
}

async fn open_door(
    config: &Config,
    database: &Database,
    key: &MasterKey,
    clock: &Arc<dyn Clock>,
    tracker: &TaskTracker,
    helpers: &CancellationToken,
) -> anyhow::Result<Door> {
    let configured = config.owner_email.as_deref().zip(config.owner_password.as_ref());
    let token = SetupToken::derive(key);
    let door = Door::open(database.clone(), Arc::clone(clock), token.clone(), tracker, helpers.clone());
    if let Some((email, password)) = configured {
        door.make_configured_owner(email, password.expose())
            .await
            .context("STOA_OWNER_EMAIL and STOA_OWNER_PASSWORD")?;
    }
    if door.setup_is_needed().await? {
        tracing::warn!(
            token = token.expose(),
            "nobody has an account yet; whoever opens the set-up page from elsewhere than this machine needs this token"
        );
    }
    Ok(door)
}

fn local_runtime(config: &Config, tracker: &TaskTracker, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<Runtime>> {
    let store = Store::open(&config.models_dir)
        .with_context(|| format!("the model store {} cannot be opened", config.models_dir.display()))?;
    let options = RuntimeOptions {
        keep_alive: config.model_keep_alive,
        context_limit: config.model_context,
        memory: config.models_memory,
        slots: (config.model_slots > 0).then_some(config.model_slots),
        engines: config.models_engines.clone(),
        own_devices: stoa_models_llama::USES_DEVICES,
        devices: config.model_devices.clone(),
        device_layers: u32::try_from(config.model_device_layers).ok(),
        device_memory: config.models_device_memory,
        ..RuntimeOptions::new(WorkerProgram::this_program().context("this program's own path is not known")?)
    };
    Runtime::new(Arc::new(store), options, tracker.clone(), Arc::clone(clock))
        .context("the thread that starts model workers cannot be started")
}

/// Waits for whoever runs this to ask for its end.
async fn stop_signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

//! The way out of this installation: its proxies and certificates, the private addresses that were allowed, and the
//! providers that are reached through it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use stoa_dispatch::UpstreamFactory;
use stoa_egress::{Allowances, Egress, EgressOptions, ProxyOptions};
use stoa_model::Principal;
use stoa_model::completion::{CompletionError, CompletionRequest, OpenFuture, Upstream};
use stoa_providers::{Provider, Settings};
use stoa_storage::{Database, Notice, Secret, StorageError, StoredProvider};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// Opens the way out, and keeps its allowances those of the database until `shutdown`.
pub(super) async fn egress(
    config: &Config,
    database: &Database,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<Egress> {
    let egress = configured(config)?;
    let allowances = Arc::clone(egress.allowances());
    let notices = database.notices().subscribe();
    read(database, &allowances).await?;
    tracker.spawn(follow(database.clone(), allowances, notices, shutdown.clone()));
    Ok(egress)
}

/// The way out with what the operator set, and nothing that administrators allowed.
pub(crate) fn configured(config: &Config) -> anyhow::Result<Egress> {
    let fixed = Allowances::parse_list(&config.egress_allow.join(","))
        .map_err(|(entry, error)| anyhow!("STOA_EGRESS_ALLOW: `{entry}`: {error}"))?;
    let options = EgressOptions { allowances: Arc::new(Allowances::new(fixed)), ..ways(config) };
    Egress::new(options).context("the way out")
}

/// Proxies and certificates, and no private address.
pub(super) fn ways(config: &Config) -> EgressOptions {
    let proxy = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    EgressOptions {
        proxies: ProxyOptions {
            http: proxy(&config.http_proxy),
            https: proxy(&config.https_proxy),
            no: config.no_proxy.clone(),
        },
        extra_roots: config.egress_ca_file.clone(),
        ..EgressOptions::default()
    }
}

async fn read(database: &Database, allowances: &Allowances) -> Result<(), StorageError> {
    let granted = database.allowances(&Principal::System("egress")).await?;
    allowances.replace(granted.into_iter().filter_map(|allowance| {
        allowance
            .authority
            .parse()
            .inspect_err(|error| tracing::error!(%error, authority = allowance.authority, "an allowance is no address"))
            .ok()
    }));
    Ok(())
}

async fn follow(
    database: Database,
    allowances: Arc<Allowances>,
    mut notices: Receiver<Notice>,
    shutdown: CancellationToken,
) {
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            () = shutdown.cancelled() => return,
        };
        match notice {
            Ok(Notice::Settings | Notice::Resync) | Err(RecvError::Lagged(_)) => {
                if let Err(error) = read(&database, &allowances).await {
                    tracing::warn!(%error, "allowances could not be read again; the last known ones stay");
                }
            }
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Makes the clients of providers.
pub(super) struct Providers {
    pub(super) egress: Egress,
}

impl UpstreamFactory for Providers {
    fn upstream(&self, stored: &StoredProvider) -> Arc<dyn Upstream> {
        let provider = &stored.provider;
        let api_key = stored.api_key.as_ref().map(Secret::expose).unwrap_or_default();
        match Settings::parse(provider.kind, &provider.base_url, api_key) {
            Ok(settings) => Provider::new(self.egress.clone(), settings),
            Err(error) => Arc::new(Unusable { detail: error.to_string() }),
        }
    }
}

/// A provider whose stored settings cannot be used: it says so whenever it is called.
struct Unusable {
    detail: String,
}

impl Upstream for Unusable {
    fn open(self: Arc<Self>, _request: CompletionRequest) -> OpenFuture<'static> {
        Box::pin(std::future::ready(Err(CompletionError::Invalid { detail: self.detail.clone() })))
    }
}

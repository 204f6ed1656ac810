//! What every handler can reach.

use std::sync::Arc;

use stoa_chat::Engine;
use stoa_dispatch::Dispatch;
use stoa_egress::Egress;
use stoa_functions_service::FunctionService;
use stoa_identity::Door;
use stoa_model::{Clock, Timestamp};
use stoa_storage::{Database, Secret};

use crate::figures::Figures;
use crate::files::FileService;
use crate::local_models::LocalModelService;
use crate::visitor::TrustedProxies;

/// Cheap to clone; one for each request.
#[derive(Clone)]
pub struct App {
    pub database: Database,
    pub door: Door,
    pub chat: Engine,
    pub dispatch: Dispatch,
    pub egress: Egress,
    pub files: FileService,
    pub functions: FunctionService,
    pub local_models: LocalModelService,
    pub clock: Arc<dyn Clock>,
    pub options: Arc<AppOptions>,
}

#[derive(Clone, Debug, Default)]
pub struct AppOptions {
    /// Cookies go over TLS only: the page is reached by `https`, here or at a proxy before us.
    pub secure_cookies: bool,
    /// The server listens on a loopback address and nowhere else.
    pub loopback_only: bool,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Whether people may have their browsers call providers of their own.
    pub personal_providers: bool,
    /// Has everybody's figures, for `GET /metrics`.
    pub figures: Figures,
    /// Whoever shows it may read them from elsewhere than this machine.
    pub metrics_token: Option<Secret>,
}

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

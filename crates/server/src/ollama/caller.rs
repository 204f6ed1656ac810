//! Who calls: an API key, or somebody at this machine without one.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use stoa_identity::{ApiKeyText, Credential};
use stoa_listener::PeerAddress;
use stoa_model::{Principal, Scope};

use super::Ollama;
use super::error::Refusal;
use crate::app::App;
use crate::visitor::is_direct;

/// Somebody who may run models and list them.
pub(super) struct Caller(pub(super) Principal);

/// Somebody who may change which models there are.
pub(super) struct Manager;

impl FromRequestParts<Ollama> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Ollama) -> Result<Self, Refusal> {
        let principal = principal(parts, &state.app, state.options.loopback_only).await?;
        if principal.allows(Scope::Infer) {
            return Ok(Self(principal));
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, "this API key may not run models: it lacks the scope `infer`"))
    }
}

impl FromRequestParts<Ollama> for Manager {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Ollama) -> Result<Self, Refusal> {
        match principal(parts, &state.app, state.options.loopback_only).await? {
            principal if principal.may_manage_models() => Ok(Self),
            Principal::AtTheMachine => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "changing models needs an administrator's API key with the scope `models`, sent as `Authorization: Bearer …`",
            )),
            _ => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "this API key may not change models: it needs the scope `models` and an administrator's account",
            )),
        }
    }
}

/// Whoever has a good key; without any, somebody at this machine, if the listener is for this machine alone.
async fn principal(parts: &Parts, app: &App, loopback_only: bool) -> Result<Principal, Refusal> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if at_the_machine(parts, loopback_only) {
        return Ok(Principal::AtTheMachine);
    }
    if let Some(header) = header {
        let key = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let key = key.map(|(_, key)| key.trim()).unwrap_or_default();
        return Ok(app.door.authenticate(Credential::ApiKey(key)).await?);
    }
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "send an API key of this server as `Authorization: Bearer …`"))
}

/// Whether this is somebody at this machine who shows no key. Clients that must send one make up a word for a server
/// without keys, so what has not the form of ours is none.
pub(crate) fn at_the_machine(parts: &Parts, loopback_only: bool) -> bool {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|header| header.split_once(' ')).map(|(_, key)| key.trim()).unwrap_or_default();
    if ApiKeyText::parse(key).is_some() {
        return false;
    }
    let peer: Option<IpAddr> = parts.extensions.get::<PeerAddress>().map(|peer| peer.0.ip().to_canonical());
    loopback_only && peer.is_some_and(|peer| peer.is_loopback()) && is_direct(&parts.headers)
}

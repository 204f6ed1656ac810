//! The running server that is talked to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use stoa_egress::{Allowances, Egress, EgressOptions, Limits, Request, Target};

use crate::config::Config;

const WITHIN: Duration = Duration::from_mins(5);
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Where the server is, and how it knows who asks.
#[derive(clap::Args)]
pub(crate) struct Door {
    /// The server's address, such as `https://chat.example.com`; that of the configuration when absent.
    #[arg(long, env = "STOA_SERVER")]
    server: Option<String>,
    /// An API key with the scope `account`.
    #[arg(long, env = "STOA_API_KEY", hide_env_values = true)]
    key: String,
}

pub(super) struct Server {
    egress: Egress,
    base: String,
    key: HeaderValue,
}

impl Server {
    pub(super) fn new(door: &Door, config: &Config) -> anyhow::Result<Self> {
        let base = door.server.as_ref().map(|server| server.trim_end_matches('/').to_owned());
        let base = base.unwrap_or_else(|| at_this_machine(config));
        // Whoever types the command means this server, wherever it is.
        let own = Target::parse(&base).with_context(|| format!("`{base}` is no address of a server"))?.authority();
        let options = EgressOptions {
            allowances: Arc::new(Allowances::new([own])),
            extra_roots: config.egress_ca_file.clone(),
            ..EgressOptions::default()
        };
        let mut key = HeaderValue::from_str(&format!("Bearer {}", door.key)).context("STOA_API_KEY is no API key")?;
        key.set_sensitive(true);
        Ok(Self { egress: Egress::new(options).context("the way to the server")?, base, key })
    }

    pub(super) async fn json(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string().into_bytes()));
        self.send(method, path, body).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> anyhow::Result<Value> {
        let target = Target::parse(&format!("{}{path}", self.base))?;
        let (kind, body) = body.unzip();
        let mut request = Request::new(method, target, body.unwrap_or_default());
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let request = request.header(AUTHORIZATION, self.key.clone());
        let limits =
            Limits { head: WITHIN, idle: WITHIN, total: WITHIN, body_bytes: ANSWER_BYTES, ..Limits::default() };
        let answer = Box::pin(self.egress.send(request, limits)).await;
        let answer = answer.with_context(|| format!("no server answers at {}", self.base))?;
        let status = answer.status();
        let body = answer.into_body().collect().await?;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().map_or_else(|| format!("the server answered {status}"), str::to_owned);
        match value["hint"].as_str() {
            Some(hint) => bail!("{detail} {hint}"),
            None => bail!("{detail}"),
        }
    }

    /// The function of this name, if there is one.
    pub(super) async fn find(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let list = self.json(Method::GET, "/api/v1/functions", &Value::Null).await?;
        let found = list["items"].as_array().into_iter().flatten().find(|function| function["name"] == name);
        let Some(found) = found else { return Ok(None) };
        Ok(Some(self.json(Method::GET, &path_of(found)?, &Value::Null).await?))
    }

    /// The path of the function of this name.
    pub(super) async fn function(&self, name: &str) -> anyhow::Result<String> {
        let found = self.find(name).await?;
        path_of(
            &found.with_context(|| {
                format!("there is no function `{name}`; `stoa function list` shows those there are")
            })?,
        )
    }
}

pub(super) fn path_of(function: &Value) -> anyhow::Result<String> {
    let id = function["id"].as_str().context("the server answered something else")?;
    Ok(format!("/api/v1/functions/{id}"))
}

fn at_this_machine(config: &Config) -> String {
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

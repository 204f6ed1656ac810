//! `stoa function`: brings a folder to a running server as a function.

mod folder;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use stoa_egress::{Allowances, Egress, EgressOptions, Limits, Request, Target};

use crate::config::Config;

const WITHIN: Duration = Duration::from_mins(5);
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Subcommand)]
pub(crate) enum FunctionCommand {
    /// Sends a folder to the server, makes a version of it, and gives an alias to that version.
    ///
    /// What runs it and how is in `function.toml` in the folder: `command = ["node", "index.mjs"]` and whatever else the
    /// settings of a function have. Without that file, a function that is there keeps its settings.
    Deploy {
        folder: PathBuf,
        /// What the function is called; the folder's name when absent.
        #[arg(long)]
        name: Option<String>,
        /// What is new in it.
        #[arg(long, default_value = "")]
        note: String,
        /// The alias that gets the version.
        #[arg(long, default_value = "live")]
        alias: String,
        /// Gives the version so many percent of the alias's calls at first: 1 to 99.
        #[arg(long)]
        canary: Option<u8>,
        #[command(flatten)]
        door: Door,
    },
    /// Lists the functions of whoever's key it is.
    List {
        #[command(flatten)]
        door: Door,
    },
}

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

pub(crate) fn run(command: FunctionCommand, config: &Config) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(async {
        match command {
            FunctionCommand::Deploy { folder, name, note, alias, canary, door } => {
                let server = Server::new(&door, config)?;
                let name = name.map_or_else(|| name_of(&folder), Ok)?;
                deploy(&server, &folder, &name, &note, &alias, canary).await
            }
            FunctionCommand::List { door } => list(&Server::new(&door, config)?).await,
        }
    })
}

fn name_of(folder: &Path) -> anyhow::Result<String> {
    let folder = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str());
    Ok(name.context("the folder has no name to call the function by; give one with --name")?.to_owned())
}

async fn deploy(
    server: &Server,
    folder: &Path,
    name: &str,
    note: &str,
    alias: &str,
    canary: Option<u8>,
) -> anyhow::Result<String> {
    let sent = folder::read(folder)?;
    let function = find(server, name).await?;
    let function = match (function, &sent.settings) {
        (Some(function), None) => function,
        (Some(function), Some(settings)) => {
            let change = json!({ "settings": settings, "revision": function["revision"] });
            server.json(Method::PATCH, &path_of(&function)?, &change).await?
        }
        (None, Some(settings)) => {
            server.json(Method::POST, "/api/v1/functions", &json!({ "name": name, "settings": settings })).await?
        }
        (None, None) => bail!(
            "there is no function `{name}` yet, and {} does not say what runs it: write for example `command = \
             [\"python3\", \"app.py\"]` into it",
            folder.join(folder::SETTINGS).display()
        ),
    };
    let path = path_of(&function)?;
    let archive = format!("{path}/code/archive?revision={}", function["revision"]);
    let (files, bytes) = (sent.files, sent.zip.len());
    server.send(Method::POST, &archive, Some(("application/zip", sent.zip))).await?;
    let version = server.json(Method::POST, &format!("{path}/versions"), &json!({ "note": note })).await?;
    let number = version["number"].clone();
    let live = server.json(Method::GET, &path, &Value::Null).await?;
    let before = live["aliases"].as_array().into_iter().flatten().find(|known| known["name"] == alias);
    let route = match (canary, before) {
        (Some(percent), Some(before)) if before["version"] != number => {
            let canary = json!({ "version": number, "percent": percent });
            json!({ "version": before["version"], "canary": canary, "sticky": before["sticky"] })
        }
        (_, before) => {
            json!({ "version": number, "sticky": before.map_or(Value::Null, |before| before["sticky"].clone()) })
        }
    };
    let given = server.json(Method::PUT, &format!("{path}/aliases/{alias}"), &route).await?;
    let share = match &given["canary"] {
        Value::Null => format!("answers for `{alias}`"),
        canary => format!("answers {} % of the calls of `{alias}`", canary["percent"]),
    };
    Ok(format!("{name}: {files} files ({bytes} bytes packed) are version {number}, which {share}\n"))
}

async fn find(server: &Server, name: &str) -> anyhow::Result<Option<Value>> {
    let list = server.json(Method::GET, "/api/v1/functions", &Value::Null).await?;
    let found = list["items"].as_array().into_iter().flatten().find(|function| function["name"] == name);
    let Some(found) = found else { return Ok(None) };
    Ok(Some(server.json(Method::GET, &path_of(found)?, &Value::Null).await?))
}

fn path_of(function: &Value) -> anyhow::Result<String> {
    let id = function["id"].as_str().context("the server answered something else")?;
    Ok(format!("/api/v1/functions/{id}"))
}

async fn list(server: &Server) -> anyhow::Result<String> {
    use std::fmt::Write as _;
    let list = server.json(Method::GET, "/api/v1/functions", &Value::Null).await?;
    let mut text = String::new();
    for function in list["items"].as_array().into_iter().flatten() {
        let version = function["latest_version"].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
        let name = function["name"].as_str().unwrap_or_default();
        let title = function["title"].as_str().unwrap_or_default();
        writeln!(text, "{name:<32} version {version:<6} {title}")?;
    }
    if text.is_empty() {
        text.push_str("There are no functions yet. Bring one in with `stoa function deploy FOLDER`.\n");
    }
    Ok(text)
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

struct Server {
    egress: Egress,
    base: String,
    key: HeaderValue,
}

impl Server {
    fn new(door: &Door, config: &Config) -> anyhow::Result<Self> {
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

    async fn json(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string().into_bytes()));
        self.send(method, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<(&'static str, Vec<u8>)>) -> anyhow::Result<Value> {
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
}

//! What only a running server can do, asked by Ollama's protocol at the address of the configuration.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use stoa_egress::{Allowances, Egress, EgressError, EgressOptions, Limits, Request, Target};

use super::size;
use crate::config::Config;

/// A model may have to be loaded first, and a long answer takes its time.
const LONGEST: Duration = Duration::from_hours(1);
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;
const PROMPT_BYTES: u64 = 4 * 1024 * 1024;

/// How the server knows who asks.
#[derive(Args)]
pub(crate) struct Door {
    /// An API key of the server; at the machine itself none is needed.
    #[arg(long, env = "STOA_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// What `/api/ps` says, as far as it is shown.
#[derive(Deserialize)]
struct Loaded {
    models: Vec<LoadedModel>,
}

#[derive(Deserialize)]
struct LoadedModel {
    name: String,
    size: u64,
    context_length: u64,
    expires_at: String,
}

/// One line of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    message: Option<Message>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

pub(super) fn ps(door: &Door, config: &Config) -> anyhow::Result<String> {
    blocking(async {
        let server = Server::new(door, config)?;
        let mut answer = Vec::new();
        server.ask("/api/ps", None, |bytes| answer.extend_from_slice(bytes)).await?;
        let loaded: Loaded = serde_json::from_slice(&answer).context("the server answered something else")?;
        Ok(table(&loaded.models))
    })
}

pub(super) fn stop(name: &str, door: &Door, config: &Config) -> anyhow::Result<String> {
    blocking(async {
        let server = Server::new(door, config)?;
        let body = json!({ "model": name, "keep_alive": 0, "stream": false });
        server.ask("/api/generate", Some(&body), |_| {}).await?;
        Ok(format!("{name} leaves memory as soon as nothing runs on it\n"))
    })
}

pub(super) fn run(name: &str, prompt: Option<String>, door: &Door, config: &Config) -> anyhow::Result<String> {
    blocking(async {
        let server = Server::new(door, config)?;
        let mut messages = Vec::new();
        if prompt.is_none() && std::io::stdin().is_terminal() {
            return converse(&server, name, &mut messages).await;
        }
        let prompt = match prompt {
            Some(prompt) => prompt,
            None => piped()?,
        };
        if prompt.trim().is_empty() {
            bail!("there is no prompt; give one behind the name, or on standard input");
        }
        say(&server, name, &mut messages, prompt).await?;
        Ok(String::new())
    })
}

/// Turn by turn, until the input ends or somebody says `/bye`.
async fn converse(server: &Server, name: &str, messages: &mut Vec<Value>) -> anyhow::Result<String> {
    loop {
        let _ = write!(std::io::stderr(), ">>> ");
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).context("the terminal cannot be read")?;
        match line.trim() {
            "/bye" => return Ok(String::new()),
            _ if read == 0 => return Ok("\n".to_owned()),
            "" => {}
            prompt => say(server, name, messages, prompt.to_owned()).await?,
        }
    }
}

/// Asks, and writes what comes as it comes.
async fn say(server: &Server, name: &str, messages: &mut Vec<Value>, prompt: String) -> anyhow::Result<()> {
    messages.push(json!({ "role": "user", "content": prompt }));
    let body = json!({ "model": name, "messages": messages });
    let (mut pending, mut said, mut failed) = (Vec::new(), String::new(), None);
    let asked = server.ask("/api/chat", Some(&body), |bytes| {
        pending.extend_from_slice(bytes);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            match serde_json::from_slice::<Line>(&line) {
                Ok(Line { error: Some(error), .. }) => failed = Some(error),
                Ok(Line { message: Some(message), .. }) => {
                    let mut output = std::io::stdout().lock();
                    let _ = output.write_all(message.content.as_bytes()).and_then(|()| output.flush());
                    said.push_str(&message.content);
                }
                Ok(_) => {}
                Err(error) => failed = Some(format!("the server answered something else: {error}")),
            }
        }
    });
    asked.await?;
    let _ = writeln!(std::io::stdout());
    if let Some(failed) = failed {
        bail!("{failed}");
    }
    messages.push(json!({ "role": "assistant", "content": said }));
    Ok(())
}

fn piped() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(PROMPT_BYTES + 1).read_to_string(&mut text).context("the prompt cannot be read")?;
    if text.len() as u64 > PROMPT_BYTES {
        bail!("the prompt is longer than {PROMPT_BYTES} bytes");
    }
    Ok(text)
}

fn table(models: &[LoadedModel]) -> String {
    if models.is_empty() {
        return "No model is loaded.\n".to_owned();
    }
    let width = models.iter().map(|model| model.name.len()).max().unwrap_or_default().max("NAME".len());
    let mut text = format!("{:width$}  {:>10}  {:>8}  UNTIL\n", "NAME", "MEMORY", "CONTEXT");
    for LoadedModel { name, size: bytes, context_length, expires_at } in models {
        let until = if expires_at.starts_with("9999") { "it is stopped" } else { expires_at };
        let _ = writeln!(text, "{name:width$}  {:>10}  {context_length:>8}  {until}", size(*bytes));
    }
    text
}

fn blocking<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new().context("the runtime cannot be started")?.block_on(work)
}

/// The listener of Ollama's protocol.
struct Server {
    egress: Egress,
    address: SocketAddr,
    key: Option<HeaderValue>,
}

impl Server {
    fn new(door: &Door, config: &Config) -> anyhow::Result<Self> {
        let mut address = config.ollama_listen.context(
            "Ollama's protocol, by which a running server is asked, is switched off; set STOA_OLLAMA_LISTEN to an address",
        )?;
        if config.tls.is_some() && !address.ip().is_loopback() {
            bail!(
                "Ollama's protocol speaks TLS at {address}, which this command does not: set OLLAMA_HOST to its https address and \
                 use Ollama's own program, or the page of local models"
            );
        }
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let own = address.to_string().parse().map_err(|error| anyhow!("{address}: {error}"))?;
        let options = EgressOptions { allowances: Arc::new(Allowances::new([own])), ..EgressOptions::default() };
        let key = door.key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).context("STOA_API_KEY is no API key")?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        });
        Ok(Self { egress: Egress::new(options).context("the way to the server")?, address, key: key.transpose()? })
    }

    /// Asks, and hands on each piece of the answer.
    async fn ask(&self, path: &str, body: Option<&Value>, mut take: impl FnMut(&[u8])) -> anyhow::Result<()> {
        let target = Target::parse(&format!("http://{}{path}", self.address))?;
        let mut request = match body {
            None => Request::get(target),
            Some(body) => Request::post(target, body.to_string())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json")),
        };
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let limits =
            Limits { head: LONGEST, idle: LONGEST, total: LONGEST, body_bytes: ANSWER_BYTES, ..Limits::default() };
        let answer = Box::pin(self.egress.send(request, limits)).await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let mut body = answer.into_body();
        if !status.is_success() {
            let text = body.collect().await?;
            let line: Line = serde_json::from_slice(&text).unwrap_or_default();
            bail!("{}", line.error.unwrap_or_else(|| format!("the server answered {status}")));
        }
        while let Some(bytes) = body.chunk().await? {
            take(&bytes);
        }
        Ok(())
    }

    fn unreachable(&self, error: EgressError) -> anyhow::Error {
        let hint = format!(
            "no server answers at {}; start one with `stoa serve`, or set STOA_OLLAMA_LISTEN to where it listens",
            self.address
        );
        anyhow::Error::new(error).context(hint)
    }
}

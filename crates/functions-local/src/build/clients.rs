//! The package clients of this machine: which releases they are, and where they go when nobody tells them.

use std::sync::Arc;
use std::time::Duration;

use stoa_egress::Target;
use stoa_functions::spec::Network;
use stoa_functions::{EngineError, Isolation, Stream};

use super::Ecosystem;
use crate::engine::LocalEngine;
use crate::jobs::{Job, JobFiles, JobLimits, JobOutcome};

/// A client, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Of the interpreter, the client and the machine: packages for one are not for another.
    pub version: String,
    /// Where it looks for packages and fetches them, if nothing else is said: `host:port`.
    pub hosts: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "{program} does not answer on this machine ({detail}): install it, for example with `apt-get install {package}`"
    )]
    Missing { program: &'static str, package: &'static str, detail: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the engine's folder cannot be used")]
    Folder(#[source] std::io::Error),
}

/// The first line is the version, the others are URLs.
const ASK_PIP: &str = r#"
import pip, platform, sys
from pip._internal.models.index import PyPI
print("python", platform.python_version(), "pip", pip.__version__, platform.machine(), *platform.libc_ver())
print(PyPI.simple_url)
print("https://" + PyPI.file_storage_domain)
"#;

const ASK_NPM: &str = r#"
set -eu
echo "node $(node --version) npm $(npm --version) $(node -p 'process.arch + " " + process.versions.modules')"
npm config get registry
"#;

impl LocalEngine {
    /// Asked once.
    pub(super) async fn client(&self, ecosystem: Ecosystem, isolation: Isolation) -> Result<Arc<Client>, ClientError> {
        let known = match ecosystem {
            Ecosystem::Python => &self.clients.python,
            Ecosystem::Node => &self.clients.node,
        };
        known.get_or_try_init(|| async { self.ask(ecosystem, isolation).await.map(Arc::new) }).await.cloned()
    }

    async fn ask(&self, ecosystem: Ecosystem, isolation: Isolation) -> Result<Client, ClientError> {
        let (program, package, command) = match ecosystem {
            Ecosystem::Python => ("pip", "python3-pip", ["python3", "-c", ASK_PIP]),
            Ecosystem::Node => ("npm", "npm", ["/bin/sh", "-c", ASK_NPM]),
        };
        let output = self.host.home.instances().join(format!("ask.{program}"));
        std::fs::create_dir_all(&output).map_err(ClientError::Folder)?;
        let job = Job {
            name: format!("ask.{program}"),
            command: command.map(str::to_owned).to_vec(),
            files: JobFiles::These([].into()),
            output: output.clone(),
            cache: None,
            environment: [("npm_config_update_notifier", "false"), ("NO_COLOR", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            network: Network::None,
            limits: JobLimits { deadline: Duration::from_mins(1), memory_bytes: 512 << 20, ..JobLimits::default() },
            isolation,
        };
        let job = self.run_job(job)?;
        let outcome = job.outcome().await;
        // Nothing but that one folder; the next start of the engine would clear it as well.
        let _ = std::fs::remove_dir_all(output);
        let log = job.logs(0);
        let said = log.lines.iter().filter(|line| line.stream == Stream::Output).map(|line| line.text.trim());
        let missing = |detail: String| ClientError::Missing { program, package, detail };
        if outcome != JobOutcome::Done {
            return Err(missing(format!("{outcome}: {}", log.tail(3))));
        }
        parse(said).ok_or_else(|| missing("what it said of itself is not understood".to_owned()))
    }
}

fn parse<'l>(mut lines: impl Iterator<Item = &'l str>) -> Option<Client> {
    let version = lines.next().filter(|version| !version.is_empty())?.to_owned();
    let hosts: Option<Vec<_>> =
        lines.map(|url| Target::parse(url).ok().map(|target| target.authority().to_string())).collect();
    Some(Client { version, hosts: hosts.filter(|hosts| !hosts.is_empty())? })
}

/// Those that were asked.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    python: tokio::sync::OnceCell<Arc<Client>>,
    node: tokio::sync::OnceCell<Arc<Client>>,
}

#[cfg(test)]
mod tests {
    use super::{Client, parse};

    #[test]
    fn what_a_client_says_is_a_version_and_urls() {
        let said = ["python 3.11 pip 23", "https://index.test/simple", "http://files.test:81"];
        let hosts = vec!["index.test:443".to_owned(), "files.test:81".to_owned()];
        assert_eq!(parse(said.into_iter()), Some(Client { version: said[0].to_owned(), hosts }));
        assert_eq!(parse(["version", "no url"].into_iter()), None);
        assert_eq!(parse(["version"].into_iter()), None);
        assert_eq!(parse([].into_iter()), None);
    }
}

//! What a function needs beside its own files: `requirements.txt` by pip and `package.json` by npm, each as a [`Job`].
//!
//! Indexes are named by the administrator, or are those that the clients themselves go to; which those are, they are asked,
//! in a sandbox without a way out.

mod clients;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use stoa_egress::{Target, TargetError};
use stoa_functions::spec::Network;
use stoa_functions::{EngineError, Isolation};

use crate::engine::LocalEngine;
use crate::jobs::{Job, JobFiles, JobHandle, JobLimits};

pub(crate) use clients::Clients;
pub use clients::{Client, ClientError};

/// Files in the top folder of the code that say what is needed. No others are looked at, nor seen by the build.
pub const MANIFESTS: [&str; 4] = ["requirements.txt", "package.json", "package-lock.json", "npm-shrinkwrap.json"];

/// Of one of them.
pub const MAX_MANIFEST_BYTES: usize = 16 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// Packages are in `python_modules`, where functions look for them (`PYTHONPATH`).
    Python,
    /// Packages are in `node_modules`.
    Node,
}

/// What the manifests ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    ecosystem: Ecosystem,
    manifests: BTreeMap<String, Vec<u8>>,
}

/// How an administrator lets functions be built. What is in an address, also a password, is seen by what packages run as
/// they are installed.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// In the place of pip's own: the URL of an index (PEP 503), `https://index.example/simple`.
    pub pip_index: Option<String>,
    /// In the place of npm's own: the URL of a registry.
    pub npm_registry: Option<String>,
    /// Hosts beside those of the indexes, for packages that fetch more as they are installed; as in a version's network.
    pub hosts: Vec<String>,
    pub limits: JobLimits,
    pub isolation: Isolation,
}

/// For whom a build is, and where it leaves what it makes.
#[derive(Clone, Debug)]
pub struct BuildTarget {
    /// See [`Job::name`].
    pub name: String,
    /// Empty. Afterwards, what is to be laid over the top folder of the code.
    pub output: PathBuf,
    /// See [`Job::cache`].
    pub cache: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{name} is larger than {MAX_MANIFEST_BYTES} bytes")]
    TooLarge { name: &'static str },
    #[error("the index {url} is not the address of one")]
    Index {
        url: String,
        #[source]
        source: TargetError,
    },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Dependencies {
    /// One for each ecosystem whose manifest is among the files of the top folder. Their contents are the caller's to bring,
    /// for the names in [`MANIFESTS`].
    pub fn of(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Self>, BuildError> {
        let mut found = Vec::new();
        for (ecosystem, names) in [(Ecosystem::Python, &MANIFESTS[..1]), (Ecosystem::Node, &MANIFESTS[1..])] {
            let mut manifests = BTreeMap::new();
            for name in names {
                let Some(bytes) = files.get(*name) else { continue };
                if bytes.len() > MAX_MANIFEST_BYTES {
                    return Err(BuildError::TooLarge { name });
                }
                manifests.insert((*name).to_owned(), bytes.clone());
            }
            if manifests.contains_key(names[0]) {
                found.push(Self { ecosystem, manifests });
            }
        }
        Ok(found)
    }

    pub fn ecosystem(&self) -> Ecosystem {
        self.ecosystem
    }

    /// Of the output, what the packages are in.
    pub fn folder(&self) -> &'static str {
        match self.ecosystem {
            Ecosystem::Python => "python_modules",
            Ecosystem::Node => "node_modules",
        }
    }

    /// Two builds with the same key make the same of it, as far as their indexes do. 64 hexadecimal digits.
    fn key(&self, client: &Client, index: Option<&str>) -> String {
        let mut sum = Sha256::new();
        let mut part = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        part(self.ecosystem.script().as_bytes());
        part(client.version.as_bytes());
        part(index.unwrap_or_default().as_bytes());
        for (name, bytes) in &self.manifests {
            part(name.as_bytes());
            part(bytes);
        }
        sum.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Packages with what they were compiled to, which stays good wherever and whenever the files are copied. What does not
/// compile is of another release of Python, and seldom used.
const PIP: &str = r"
set -eu
python3 -m pip install --no-input --no-compile --progress-bar off --no-warn-script-location --root-user-action ignore \
  --disable-pip-version-check --timeout 30 --retries 2 --target /out/python_modules --requirement /code/requirements.txt
mkdir -p /out/python_modules
python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash -s /out -p /code /out/python_modules >/dev/null || true
";

/// With a lock, what it says and nothing else. Without, npm writes one, and it is left beside the packages.
const NPM: &str = r#"
set -eu
cp /code/package*.json /out/
if [ -f /code/npm-shrinkwrap.json ]; then cp /code/npm-shrinkwrap.json /out/; fi
set -- --omit=dev --no-audit --no-fund --no-progress --loglevel=http
if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then npm ci "$@"; else npm install "$@"; fi
mkdir -p /out/node_modules
"#;

impl Ecosystem {
    fn script(self) -> &'static str {
        match self {
            Self::Python => PIP,
            Self::Node => NPM,
        }
    }
}

impl LocalEngine {
    /// By which the result of a build can be kept and found again.
    pub async fn build_key(&self, dependencies: &Dependencies, options: &BuildOptions) -> Result<String, BuildError> {
        let client = self.client(dependencies.ecosystem, options.isolation).await?;
        Ok(dependencies.key(&client, options.index(dependencies.ecosystem)))
    }

    /// Begins a build.
    pub async fn build(
        &self,
        dependencies: &Dependencies,
        options: &BuildOptions,
        target: BuildTarget,
    ) -> Result<JobHandle, BuildError> {
        let ecosystem = dependencies.ecosystem;
        let client = self.client(ecosystem, options.isolation).await?;
        let index = options.index(ecosystem);
        let allowed = match index {
            Some(url) => vec![host_of(url)?.authority().to_string()],
            None => client.hosts.clone(),
        };
        let cache = if target.cache.is_some() { Job::CACHE } else { Job::SCRATCH };
        let environment = match ecosystem {
            Ecosystem::Python => pip(index, cache)?,
            Ecosystem::Node => npm(index, cache),
        };
        let job = Job {
            name: target.name,
            command: ["/bin/sh", "-c", ecosystem.script()].map(str::to_owned).to_vec(),
            files: JobFiles::These(dependencies.manifests.clone()),
            output: target.output,
            cache: target.cache,
            environment,
            network: Network::Proxy { allowed: [allowed, options.hosts.clone()].concat() },
            limits: options.limits,
            isolation: options.isolation,
        };
        Ok(self.run_job(job)?)
    }
}

impl BuildOptions {
    fn index(&self, ecosystem: Ecosystem) -> Option<&str> {
        match ecosystem {
            Ecosystem::Python => self.pip_index.as_deref(),
            Ecosystem::Node => self.npm_registry.as_deref(),
        }
    }
}

/// An index may have a name and a password in its URL, which are none of the host's.
fn host_of(url: &str) -> Result<Target, BuildError> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let plain = format!("{scheme}://{authority}{path}");
    Target::parse(&plain).map_err(|source| BuildError::Index { url: plain, source })
}

fn pip(index: Option<&str>, cache: &str) -> Result<BTreeMap<String, String>, BuildError> {
    let mut environment = variables([("PIP_CACHE_DIR", format!("{cache}/pip"))]);
    environment.extend(trusted("PIP_CERT"));
    if let Some(index) = index {
        let host = host_of(index)?;
        environment.insert("PIP_INDEX_URL".to_owned(), index.to_owned());
        // What the administrator wrote so is meant so.
        if !host.is_https() {
            environment.insert("PIP_TRUSTED_HOST".to_owned(), host.authority().to_string());
        }
    }
    Ok(environment)
}

fn npm(registry: Option<&str>, cache: &str) -> BTreeMap<String, String> {
    let mut environment = variables([
        ("npm_config_cache", format!("{cache}/npm")),
        ("npm_config_logs_max", "0".to_owned()),
        ("npm_config_update_notifier", "false".to_owned()),
        // What packages run as they are installed, the sandbox is for.
        ("npm_config_dangerously_allow_all_scripts", "true".to_owned()),
        ("npm_config_fetch_timeout", "30000".to_owned()),
        ("npm_config_fetch_retries", "2".to_owned()),
        ("npm_config_fetch_retry_mintimeout", "500".to_owned()),
        ("npm_config_fetch_retry_maxtimeout", "2000".to_owned()),
        ("NO_COLOR", "1".to_owned()),
    ]);
    environment.extend(trusted("NODE_EXTRA_CA_CERTS"));
    if let Some(registry) = registry {
        environment.insert("npm_config_registry".to_owned(), registry.to_owned());
        // A lock that was written elsewhere is met from here.
        environment.insert("npm_config_replace_registry_host".to_owned(), "always".to_owned());
    }
    environment
}

/// What this machine trusts, also where it is more than what the client brings.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

fn trusted(variable: &str) -> Option<(String, String)> {
    Path::new(CERTIFICATES).is_file().then(|| (variable.to_owned(), CERTIFICATES.to_owned()))
}

fn variables<const N: usize>(variables: [(&str, String); N]) -> BTreeMap<String, String> {
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    fn client() -> Client {
        Client { version: "1".to_owned(), hosts: Vec::new() }
    }

    #[test]
    fn manifests_say_what_is_needed() {
        let found = |names: &[&str]| {
            let all = Dependencies::of(&files(names)).unwrap();
            all.iter().map(Dependencies::ecosystem).collect::<Vec<_>>()
        };
        assert_eq!(found(&["app.py"]), []);
        assert_eq!(found(&["app.py", "requirements.txt"]), [Ecosystem::Python]);
        assert_eq!(found(&["package.json", "app.js"]), [Ecosystem::Node]);
        assert_eq!(found(&["package.json", "requirements.txt"]), [Ecosystem::Python, Ecosystem::Node]);
        assert_eq!(found(&["package-lock.json"]), [], "a lock alone asks for nothing");
        let large = [("requirements.txt".to_owned(), vec![0; MAX_MANIFEST_BYTES + 1])].into();
        assert!(matches!(Dependencies::of(&large), Err(BuildError::TooLarge { name: "requirements.txt" })));
    }

    #[test]
    fn the_key_is_of_all_that_counts_and_of_nothing_else() {
        let of = |names: &[&str]| Dependencies::of(&files(names)).unwrap().remove(0);
        let plain = of(&["package.json"]);
        let key = plain.key(&client(), None);
        assert_eq!((key.len(), &key), (64, &of(&["package.json", "app.js"]).key(&client(), None)));
        let others = [
            of(&["package.json", "package-lock.json"]).key(&client(), None),
            plain.key(&client(), Some("https://registry.test")),
            plain.key(&Client { version: "2".to_owned(), ..client() }, None),
            of(&["requirements.txt"]).key(&client(), None),
        ];
        assert!(!others.contains(&key), "{others:?}");
    }

    #[test]
    fn an_index_is_a_url_whose_host_is_let_through() {
        let host = |url: &str| host_of(url).map(|host| host.authority().to_string());
        assert_eq!(host("https://index.test/simple").unwrap(), "index.test:443");
        assert_eq!(host("http://ann:s@cret@index.test:8080/simple/").unwrap(), "index.test:8080");
        for url in ["index.test", "ftp://index.test", "https://", "file:///etc", "https://ann:secret@/"] {
            let refused = host(url).unwrap_err();
            assert!(matches!(refused, BuildError::Index { .. }) && !refused.to_string().contains("secret"), "{url}");
        }
        let environment = pip(Some("http://index.test/simple"), "/cache").unwrap();
        assert_eq!(environment["PIP_TRUSTED_HOST"], "index.test:80");
        assert!(!pip(Some("https://index.test/simple"), "/cache").unwrap().contains_key("PIP_TRUSTED_HOST"));
    }
}

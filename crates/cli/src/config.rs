//! The settings: every one is declared here once, with its name in the file, its variable, its default and its text.
//! The environment wins over the file; the reference is written from the same table.

mod reading;
mod registries;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reading::Reader;
use stoa_functions_service::{Dollars, Makers};
use stoa_models::{DeviceChoice, MemoryBound};

const DOLLARS: &str = "dollars, such as `0.000024`";

pub(crate) use reading::ConfigError;
pub(crate) use registries::registry_options;

/// One setting, as the reference shows it.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) default: &'static str,
    pub(crate) text: &'static str,
    /// Never shown, in errors neither.
    pub(crate) secret: bool,
}

macro_rules! settings {
    ($($name:ident: $key:literal, $variable:literal, $default:literal, $secret:literal, $text:literal;)+) => {
        $(const $name: Setting =
            Setting { key: $key, variable: $variable, default: $default, text: $text, secret: $secret };)+

        /// All settings, in the order of the reference.
        const SETTINGS: &[&Setting] = &[$(&$name),+];
    };
}

settings! {
    LISTEN: "listen", "STOA_LISTEN", "127.0.0.1:3210", false,
        "The address and port of the web application and the API.";
    OLLAMA_LISTEN: "ollama_listen", "STOA_OLLAMA_LISTEN", "127.0.0.1:11434", false,
        "The address and port of Ollama's protocol, or `off`. When the default is taken by another program, Stoa says so and \
         goes on without.";
    OLLAMA_HOSTS: "ollama_hosts", "STOA_OLLAMA_HOSTS", "", false,
        "Host names that Ollama's protocol is reached by, separated by commas, beside addresses, `localhost` and names that \
         end in `.local` or `.internal`.";
    TLS_CERTIFICATE: "tls_certificate", "STOA_TLS_CERTIFICATE", "", false,
        "A file with the server's certificate and those between it and its root (PEM). With it and `tls_key`, Stoa itself speaks \
         TLS, and so does Ollama's protocol unless its address is of this machine alone. Files that change are read again.";
    TLS_KEY: "tls_key", "STOA_TLS_KEY", "", false,
        "The file with the key of that certificate (PEM).";
    SECURE_COOKIES: "secure_cookies", "STOA_SECURE_COOKIES", "false", false,
        "Send cookies over TLS only. Set it when people reach Stoa by `https` through a proxy; where Stoa itself speaks TLS, it \
         is always so.";
    TRUSTED_PROXIES: "trusted_proxies", "STOA_TRUSTED_PROXIES", "", false,
        "Addresses and networks of the reverse proxies before Stoa, separated by commas, such as `127.0.0.1, 10.0.0.0/8`. \
         Their `X-Forwarded-For` tells who the client is, for throttling and the list of sessions; nobody else's does.";
    DRAIN: "drain_seconds", "STOA_DRAIN_SECONDS", "10", false,
        "How long answers that are being written may go on after the server was told to stop. What is not finished then is \
         marked interrupted and can be continued.";
    DATA_DIR: "data_dir", "STOA_DATA_DIR", "$XDG_DATA_HOME/stoa", false,
        "Where the database, the master key, pictures and local models are kept.";
    DATABASE_URL: "database_url", "STOA_DATABASE_URL", "sqlite://DATA_DIR/stoa.db", true,
        "`sqlite:///path` or `postgres://user:password@host/name` (with `?sslmode=verify-full&sslrootcert=…` for TLS).";
    OBJECTS_URL: "objects_url", "STOA_OBJECTS_URL", "file://DATA_DIR/objects", false,
        "Where pictures that people send are kept: `file:///path`, or \
         `s3://bucket?region=…&endpoint=https://…&path_style=true` for a service that speaks S3. Replicas need the same one.";
    OBJECTS_ACCESS_KEY_ID: "objects_access_key_id", "AWS_ACCESS_KEY_ID", "", true,
        "Who Stoa is to the bucket of `objects_url`.";
    OBJECTS_SECRET_ACCESS_KEY: "objects_secret_access_key", "AWS_SECRET_ACCESS_KEY", "", true,
        "The secret that goes with it.";
    OBJECTS_SESSION_TOKEN: "objects_session_token", "AWS_SESSION_TOKEN", "", true,
        "The token that goes with both, where they are temporary.";
    FILES_PER_USER: "files_per_user_mib", "STOA_FILES_PER_USER_MIB", "1024", false,
        "How much room the pictures of one person may take, in MiB.";
    FUNCTIONS: "functions", "STOA_FUNCTIONS", "administrators", false,
        "Who may make functions, which are programs that run on this machine in sandboxes: `administrators`, `everyone`, or \
         `off` where none shall run.";
    FUNCTIONS_DIR: "functions_dir", "STOA_FUNCTIONS_DIR", "DATA_DIR/functions", false,
        "Where functions are unpacked while they run, and their logs are. Nothing but `logs` in it need be kept; each server \
         needs its own.";
    FUNCTION_VOLUMES_DIR: "function_volumes_dir", "STOA_FUNCTION_VOLUMES_DIR", "DATA_DIR/function-volumes", false,
        "Where the files of functions' volumes are kept. To be kept and backed up; servers of one database need the same one, \
         such as a folder of NFS.";
    FUNCTION_VOLUMES_PER_PERSON: "function_volumes_per_person_mib", "STOA_FUNCTION_VOLUMES_PER_PERSON_MIB", "20480", false,
        "How large the volumes of one person may be together, in MiB. As it is, all that a person may have fit, at the size that \
         they get when nothing is said.";
    FUNCTION_RUNTIMES: "function_runtimes", "STOA_FUNCTION_RUNTIMES", "", false,
        "Folders beside `/usr` that every function may read, separated by commas, such as further interpreters; programs in \
         their `bin` are found by their names.";
    FUNCTIONS_WAITING: "functions_waiting", "STOA_FUNCTIONS_WAITING", "1", false,
        "How many interpreters of each kind (Python, Node.js) wait in their sandboxes for the next function that starts.";
    FUNCTIONS_PREPARED: "functions_prepared", "STOA_FUNCTIONS_PREPARED", "32", false,
        "How many interpreters, of all functions together, may wait with the packages of the function that they are for.";
    FUNCTION_PRICE_CPU_SECOND: "function_price_cpu_second", "STOA_FUNCTION_PRICE_CPU_SECOND", "0", false,
        "What one processor that is set aside for a function for a second costs, in dollars, such as `0.000024`. Where no price \
         is set, nothing is said of costs.";
    FUNCTION_PRICE_GB_SECOND: "function_price_gb_second", "STOA_FUNCTION_PRICE_GB_SECOND", "0", false,
        "What one GB of memory that is kept for a function for a second costs, in dollars.";
    FUNCTION_PRICE_MILLION_CALLS: "function_price_million_calls", "STOA_FUNCTION_PRICE_MILLION_CALLS", "0", false,
        "What a million calls of functions cost, in dollars.";
    PIP_INDEX: "pip_index", "STOA_PIP_INDEX", "", true,
        "The index that functions' Python packages are installed from, such as `https://index.example/simple`; pip's own when \
         absent.";
    NPM_REGISTRY: "npm_registry", "STOA_NPM_REGISTRY", "", true,
        "The registry that functions' Node.js packages are installed from; npm's own when absent.";
    BUILD_HOSTS: "function_build_hosts", "STOA_FUNCTION_BUILD_HOSTS", "", false,
        "Hosts beside those that packages may fetch from while they are installed, separated by commas, such as \
         `*.example.org`.";
    MASTER_KEY: "master_key", "STOA_MASTER_KEY", "", true,
        "The key that seals stored secrets: 32 bytes in hexadecimal or base64. With SQLite one is made at the first start \
         and kept in `DATA_DIR/master.key`; with PostgreSQL it must be given.";
    MASTER_KEY_FILE: "master_key_file", "STOA_MASTER_KEY_FILE", "", false,
        "A file that holds the master key.";
    OWNER_EMAIL: "owner_email", "STOA_OWNER_EMAIL", "", false,
        "Makes the first owner at start, together with `owner_password`. Once there is an account both are left aside.";
    OWNER_PASSWORD: "owner_password", "STOA_OWNER_PASSWORD", "", true,
        "The password of the first owner; at least 10 characters.";
    EGRESS_ALLOW: "egress_allow", "STOA_EGRESS_ALLOW", "", false,
        "Private addresses that the server may reach, as `host:port`, separated by commas. Administrators can allow more in \
         the settings.";
    EGRESS_CA_FILE: "egress_ca_file", "STOA_EGRESS_CA_FILE", "", false,
        "Certificates (PEM) to trust beside those of the machine, for providers inside an organisation.";
    HTTPS_PROXY: "https_proxy", "HTTPS_PROXY", "", true,
        "The forward proxy for `https` addresses.";
    HTTP_PROXY: "http_proxy", "HTTP_PROXY", "", true,
        "The forward proxy for `http` addresses.";
    NO_PROXY: "no_proxy", "NO_PROXY", "", false,
        "Hosts that are reached without a proxy, separated by commas.";
    MODELS_DIR: "models_dir", "STOA_MODELS_DIR", "DATA_DIR/models", false,
        "Where local models are kept, in Ollama's layout.";
    MODEL_KEEP_ALIVE: "model_keep_alive_seconds", "STOA_MODEL_KEEP_ALIVE_SECONDS", "300", false,
        "How long a local model stays loaded when nobody uses it.";
    MODEL_CONTEXT: "model_context_tokens", "STOA_MODEL_CONTEXT_TOKENS", "8192", false,
        "The largest context of a local model, prompt and answer of one request together. Its memory grows with it.";
    MODEL_SLOTS: "model_slots", "STOA_MODEL_SLOTS", "0", false,
        "How many requests a local model answers at once, each with a context of its own. 0 lets the memory decide: from 4 \
         to 16.";
    MODELS_MEMORY: "models_memory", "STOA_MODELS_MEMORY", "80%", false,
        "How much memory all loaded local models may take together: a share of the machine or container, such as `80%`, or an \
         amount, such as `12GiB`. Models that are idle leave when another needs the room.";
    MODELS_ENGINES: "models_engines", "STOA_MODELS_ENGINES", "", false,
        "A folder of programs that compute local models on graphics processors: each file in it is one, made by \
         `./x build --gpu vulkan` or `--gpu cuda` from the same sources. Nobody but its owner may write there.";
    MODEL_DEVICES: "model_devices", "STOA_MODEL_DEVICES", "auto", false,
        "Which graphics processors local models use: `auto` for every card with memory of its own, `off`, or names such as \
         `CUDA0, CUDA1`, the preferred one first.";
    MODEL_DEVICE_LAYERS: "model_device_layers", "STOA_MODEL_DEVICE_LAYERS", "-1", false,
        "How many layers of a local model may be on graphics processors: -1 for as many as fit, 0 for none.";
    MODELS_DEVICE_MEMORY: "models_device_memory", "STOA_MODELS_DEVICE_MEMORY", "90%", false,
        "How much of each graphics processor's memory all loaded local models may take together: a share, or an amount such as \
         `12GiB`.";
    MODEL_SEARCH_URL: "model_search_url", "STOA_MODEL_SEARCH_URL", "https://huggingface.co", false,
        "Where administrators search models: a server with the API of Hugging Face, or `off`. Whatever is found is pulled from \
         `hf.co`.";
    MODEL_REGISTRIES: "model_registries", "STOA_MODEL_REGISTRIES", "", false,
        "The only registries that models may come from and go to, separated by commas, such as \
         `registry.ollama.ai, hf.co, registry.example.com`. Without it, all.";
    MODEL_REGISTRIES_FILE: "model_registries_file", "STOA_MODEL_REGISTRIES_FILE", "", false,
        "A TOML file that says who Stoa is to single registries: see [Local models](../guide/local-models.md#registries).";
    TITLES: "titles", "STOA_TITLES", "true", false,
        "Whether a model writes the titles of new conversations. Without it, the first line of the first message stays.";
    HISTORY_MESSAGES: "history_messages", "STOA_HISTORY_MESSAGES", "40", false,
        "How many of the latest messages of a conversation a model is sent.";
    SUMMARIES: "summaries", "STOA_SUMMARIES", "true", false,
        "Whether the model of a conversation sums up old turns by itself, when they grow past these messages or past three \
         quarters of what the model takes. People can turn it off for a conversation.";
    ANSWERS_PER_USER: "answers_per_user", "STOA_ANSWERS_PER_USER", "32", false,
        "How many answers one person may have in the making at once.";
    STREAMS_PER_USER: "streams_per_user", "STOA_STREAMS_PER_USER", "64", false,
        "How many tabs and devices one person may have open at once.";
    PERSONAL_PROVIDERS: "personal_providers", "STOA_PERSONAL_PROVIDERS", "true", false,
        "Whether people may add providers of their own, which their browsers call and this server never does.";
    METRICS_TOKEN: "metrics_token", "STOA_METRICS_TOKEN", "", true,
        "Whoever sends it as a bearer token may read `/metrics` from elsewhere than this machine. At least 16 characters.";
    LOG: "log", "STOA_LOG", "info", false,
        "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or by module as in `info,stoa_chat=debug`.";
    LOG_FORMAT: "log_format", "STOA_LOG_FORMAT", "auto", false,
        "`json`, `text`, or `auto`: text on a terminal, JSON elsewhere.";
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "settings that are on or off")]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// `None` for off.
    pub(crate) ollama_listen: Option<SocketAddr>,
    /// Somebody has chosen that address, and it is not to be gone without.
    pub(crate) ollama_chosen: bool,
    pub(crate) ollama_hosts: Vec<String>,
    /// The files of the certificate and its key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) secure_cookies: bool,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) drain: Duration,
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: Option<stoa_storage::Secret>,
    pub(crate) objects_url: Option<String>,
    pub(crate) objects_access_key_id: Option<stoa_storage::Secret>,
    pub(crate) objects_secret_access_key: Option<stoa_storage::Secret>,
    pub(crate) objects_session_token: Option<stoa_storage::Secret>,
    /// In bytes.
    pub(crate) files_per_user: u64,
    pub(crate) functions: Makers,
    pub(crate) functions_dir: PathBuf,
    pub(crate) function_volumes_dir: PathBuf,
    pub(crate) function_runtimes: Vec<PathBuf>,
    pub(crate) functions_waiting: usize,
    pub(crate) functions_prepared: usize,
    pub(crate) function_volumes_per_person_mib: u64,
    pub(crate) function_price_cpu_second: Dollars,
    pub(crate) function_price_gb_second: Dollars,
    pub(crate) function_price_million_calls: Dollars,
    pub(crate) pip_index: Option<String>,
    pub(crate) npm_registry: Option<String>,
    pub(crate) build_hosts: Vec<String>,
    pub(crate) master_key: Option<stoa_storage::Secret>,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) owner_email: Option<String>,
    pub(crate) owner_password: Option<stoa_storage::Secret>,
    pub(crate) egress_allow: Vec<String>,
    pub(crate) egress_ca_file: Option<PathBuf>,
    pub(crate) https_proxy: Option<stoa_storage::Secret>,
    pub(crate) http_proxy: Option<stoa_storage::Secret>,
    pub(crate) no_proxy: Option<String>,
    pub(crate) models_dir: PathBuf,
    pub(crate) model_keep_alive: Duration,
    pub(crate) model_context: u32,
    pub(crate) model_slots: u32,
    pub(crate) models_memory: MemoryBound,
    pub(crate) models_engines: Option<PathBuf>,
    pub(crate) model_devices: DeviceChoice,
    /// Below zero for as many as fit.
    pub(crate) model_device_layers: i32,
    pub(crate) models_device_memory: MemoryBound,
    /// `None` for off.
    pub(crate) model_search_url: Option<String>,
    pub(crate) model_registries: Vec<String>,
    pub(crate) model_registries_file: Option<PathBuf>,
    pub(crate) titles: bool,
    pub(crate) summaries: bool,
    pub(crate) history_messages: u32,
    pub(crate) answers_per_user: u32,
    pub(crate) streams_per_user: usize,
    pub(crate) personal_providers: bool,
    pub(crate) metrics_token: Option<stoa_storage::Secret>,
    pub(crate) log: String,
    pub(crate) log_format: String,
}

impl Config {
    /// Reads the file, if one is named, and the environment.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(file, SETTINGS, |variable| std::env::var_os(variable))?)
    }

    fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let data_dir = match reader.path(&DATA_DIR) {
            Some(path) => path,
            None => default_data_dir(reader)?,
        };
        Ok(Self {
            listen: reader.parse(&LISTEN, "an address and a port, such as 127.0.0.1:3210")?,
            ollama_listen: if reader.text(&OLLAMA_LISTEN)?.is_some_and(|text| text.trim() == "off") {
                None
            } else {
                Some(reader.parse(&OLLAMA_LISTEN, "an address and a port such as 127.0.0.1:11434, or off")?)
            },
            ollama_chosen: reader.text(&OLLAMA_LISTEN)?.is_some(),
            ollama_hosts: reader.list(&OLLAMA_HOSTS)?,
            tls: match (reader.path(&TLS_CERTIFICATE), reader.path(&TLS_KEY)) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                (Some(_), None) => return Err(ConfigError::Alone { one: &TLS_CERTIFICATE, other: &TLS_KEY }),
                (None, Some(_)) => return Err(ConfigError::Alone { one: &TLS_KEY, other: &TLS_CERTIFICATE }),
            },
            secure_cookies: reader.parse(&SECURE_COOKIES, "true or false")?,
            trusted_proxies: reader.list(&TRUSTED_PROXIES)?,
            drain: reader.seconds(&DRAIN)?,
            database_url: reader.secret(&DATABASE_URL)?,
            objects_url: reader.text(&OBJECTS_URL)?,
            objects_access_key_id: reader.secret(&OBJECTS_ACCESS_KEY_ID)?,
            objects_secret_access_key: reader.secret(&OBJECTS_SECRET_ACCESS_KEY)?,
            objects_session_token: reader.secret(&OBJECTS_SESSION_TOKEN)?,
            files_per_user: reader.parse::<u64>(&FILES_PER_USER, "a number of MiB")?.saturating_mul(1 << 20),
            functions: reader.parse(&FUNCTIONS, "`administrators`, `everyone` or `off`")?,
            functions_dir: reader.path(&FUNCTIONS_DIR).unwrap_or_else(|| data_dir.join("functions")),
            function_volumes_dir: reader
                .path(&FUNCTION_VOLUMES_DIR)
                .unwrap_or_else(|| data_dir.join("function-volumes")),
            function_runtimes: reader.list(&FUNCTION_RUNTIMES)?.into_iter().map(PathBuf::from).collect(),
            functions_waiting: reader.parse(&FUNCTIONS_WAITING, "a number")?,
            functions_prepared: reader.parse(&FUNCTIONS_PREPARED, "a number")?,
            function_volumes_per_person_mib: reader.parse(&FUNCTION_VOLUMES_PER_PERSON, "a number of MiB")?,
            function_price_cpu_second: reader.parse(&FUNCTION_PRICE_CPU_SECOND, DOLLARS)?,
            function_price_gb_second: reader.parse(&FUNCTION_PRICE_GB_SECOND, DOLLARS)?,
            function_price_million_calls: reader.parse(&FUNCTION_PRICE_MILLION_CALLS, DOLLARS)?,
            pip_index: reader.text(&PIP_INDEX)?,
            npm_registry: reader.text(&NPM_REGISTRY)?,
            build_hosts: reader.list(&BUILD_HOSTS)?,
            master_key: reader.secret(&MASTER_KEY)?,
            master_key_file: reader.path(&MASTER_KEY_FILE),
            owner_email: reader.text(&OWNER_EMAIL)?,
            owner_password: reader.secret(&OWNER_PASSWORD)?,
            egress_allow: reader.list(&EGRESS_ALLOW)?,
            egress_ca_file: reader.path(&EGRESS_CA_FILE),
            https_proxy: reader.secret(&HTTPS_PROXY)?,
            http_proxy: reader.secret(&HTTP_PROXY)?,
            no_proxy: reader.text(&NO_PROXY)?,
            models_dir: reader.path(&MODELS_DIR).unwrap_or_else(|| data_dir.join("models")),
            model_keep_alive: reader.seconds(&MODEL_KEEP_ALIVE)?,
            model_context: reader.parse(&MODEL_CONTEXT, "a number of tokens")?,
            model_slots: reader.parse(&MODEL_SLOTS, "a number of requests")?,
            models_memory: reader.parse(&MODELS_MEMORY, "a share such as 80%, or an amount such as 12GiB")?,
            models_engines: reader.path(&MODELS_ENGINES),
            model_devices: reader.parse(&MODEL_DEVICES, "auto, off, or names such as CUDA0 separated by commas")?,
            model_device_layers: reader.parse(&MODEL_DEVICE_LAYERS, "a number of layers, or -1")?,
            models_device_memory: reader
                .parse(&MODELS_DEVICE_MEMORY, "a share such as 90%, or an amount such as 12GiB")?,
            model_search_url: Some(
                reader.text(&MODEL_SEARCH_URL)?.unwrap_or_else(|| MODEL_SEARCH_URL.default.to_owned()),
            )
            .filter(|url| url.trim() != "off"),
            model_registries: reader.list(&MODEL_REGISTRIES)?,
            model_registries_file: reader.path(&MODEL_REGISTRIES_FILE),
            titles: reader.parse(&TITLES, "true or false")?,
            summaries: reader.parse(&SUMMARIES, "true or false")?,
            history_messages: reader.parse(&HISTORY_MESSAGES, "a number of messages")?,
            answers_per_user: reader.parse(&ANSWERS_PER_USER, "a number of answers")?,
            streams_per_user: reader.parse(&STREAMS_PER_USER, "a number of streams")?,
            personal_providers: reader.parse(&PERSONAL_PROVIDERS, "true or false")?,
            metrics_token: metrics_token(reader)?,
            log: reader.text(&LOG)?.unwrap_or_else(|| LOG.default.to_owned()),
            log_format: reader.text(&LOG_FORMAT)?.unwrap_or_else(|| LOG_FORMAT.default.to_owned()),
            data_dir,
        })
    }
}

/// One that can be guessed is none.
fn metrics_token(reader: &Reader) -> Result<Option<stoa_storage::Secret>, ConfigError> {
    let token = reader.secret(&METRICS_TOKEN)?;
    match &token {
        Some(text) if text.expose().len() < 16 => Err(reader.wrong(&METRICS_TOKEN, "at least 16 characters")),
        _ => Ok(token),
    }
}

fn default_data_dir(reader: &Reader) -> Result<PathBuf, ConfigError> {
    let data_home = reader.environment("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || reader.environment("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    data_home.or_else(home).map(|data| data.join("stoa")).ok_or(ConfigError::NoHome)
}

/// The reference of all settings, as Markdown.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\nWritten by `./x generate` from `crates/cli/src/config.rs`; do not edit.\n\n\
         Settings are read from the environment and from a TOML file named by `--config` or `STOA_CONFIG`. The environment \
         wins. An unknown name in the file is an error.\n\n\
         | in the file | variable | default | |\n|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let text = setting.text;
        let _ = writeln!(page, "| `{}` | `{}` | {default} | {text} |", setting.key, setting.variable);
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::ffi::OsString;

    use super::*;

    fn load(file: Option<&Path>, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment: HashMap<String, OsString> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        let reader = Reader::new(file, SETTINGS, |variable| environment.get(variable).cloned())?;
        Config::read(&reader)
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let file = file("listen = \"127.0.0.1:1\"\ndrain_seconds = 3\ntitles = false\n");
        let config = load(Some(file.path()), &[("HOME", "/home/o"), ("STOA_LISTEN", "[::1]:2")]).unwrap();
        assert_eq!(config.listen.to_string(), "[::1]:2");
        assert_eq!(config.drain, Duration::from_secs(3));
        assert!(!config.titles);
        assert_eq!(config.data_dir, Path::new("/home/o/.local/share/stoa"));
        assert_eq!(config.models_dir, Path::new("/home/o/.local/share/stoa/models"));
    }

    #[test]
    fn a_wrong_value_is_named_with_where_it_came_from() {
        let error = load(None, &[("HOME", "/"), ("STOA_LISTEN", "3210")]).unwrap_err().to_string();
        assert_eq!(error, "STOA_LISTEN is `3210`, but must be an address and a port, such as 127.0.0.1:3210");
        let file = file("lisen = \"x\"\n");
        let error = load(Some(file.path()), &[("HOME", "/")]).unwrap_err().to_string();
        assert!(error.contains("there is no setting `lisen`"), "{error}");
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let error = load(None, &[("HOME", "/"), ("STOA_TLS_KEY", "/key.pem")]).unwrap_err().to_string();
        assert_eq!(error, "STOA_TLS_KEY is set, and STOA_TLS_CERTIFICATE is not; one is nothing without the other");
        let both = [("HOME", "/"), ("STOA_TLS_KEY", "/key.pem"), ("STOA_TLS_CERTIFICATE", "/chain.pem")];
        assert_eq!(load(None, &both).unwrap().tls, Some(("/chain.pem".into(), "/key.pem".into())));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let config = load(None, &[("HOME", "/"), ("STOA_DATABASE_URL", "postgres://u:hunter2@h/d")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_reference_names_every_variable() {
        let page = reference();
        for setting in SETTINGS {
            assert!(page.contains(&format!("`{}`", setting.variable)), "{}", setting.variable);
        }
    }
}

//! Reads settings from a file and the environment, and says where a wrong one came from.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use stoa_storage::Secret;

use super::Setting;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the settings file {} cannot be read", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the settings file {} is not TOML", .path.display())]
    NotToml {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("there is no setting `{key}` ({}); `stoa config reference` lists them", .path.display())]
    Unknown { key: String, path: PathBuf },
    #[error("{name} is `{value}`, but must be {wanted}")]
    Wrong { name: String, value: String, wanted: &'static str },
    #[error("{} is set, and {} is not; one is nothing without the other", one.variable, other.variable)]
    Alone { one: &'static Setting, other: &'static Setting },
    #[error("{name} is not UTF-8 text")]
    NotText { name: String },
    #[error("there is no home directory to keep data in; set STOA_DATA_DIR")]
    NoHome,
}

pub(super) struct Reader {
    file: HashMap<String, String>,
    environment: HashMap<&'static str, OsString>,
}

/// Variables beside the settings' own that are looked at.
const PLACES: [&str; 2] = ["HOME", "XDG_DATA_HOME"];

impl Reader {
    pub(super) fn new(
        path: Option<&Path>,
        settings: &[&Setting],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let names = settings.iter().map(|setting| setting.variable).chain(PLACES);
        let environment =
            names.filter_map(|name| variable(name).filter(|value| !value.is_empty()).map(|value| (name, value)));
        let file = path.map(|path| read_file(path, settings)).transpose()?.unwrap_or_default();
        Ok(Self { file, environment: environment.collect() })
    }

    pub(super) fn environment(&self, name: &str) -> Option<&OsString> {
        self.environment.get(name)
    }

    pub(super) fn text(&self, setting: &Setting) -> Result<Option<String>, ConfigError> {
        match self.environment.get(setting.variable) {
            Some(value) => match value.to_str() {
                Some(value) => Ok(Some(value.to_owned())),
                None => Err(ConfigError::NotText { name: setting.variable.to_owned() }),
            },
            None => Ok(self.file.get(setting.key).filter(|value| !value.is_empty()).cloned()),
        }
    }

    pub(super) fn secret(&self, setting: &Setting) -> Result<Option<Secret>, ConfigError> {
        Ok(self.text(setting)?.map(Secret::new))
    }

    /// A path, which need not be text.
    pub(super) fn path(&self, setting: &Setting) -> Option<PathBuf> {
        let from_file = || self.file.get(setting.key).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.environment.get(setting.variable).map(PathBuf::from).or_else(from_file)
    }

    pub(super) fn list(&self, setting: &Setting) -> Result<Vec<String>, ConfigError> {
        let text = self.text(setting)?.unwrap_or_default();
        Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// A value with a default.
    pub(super) fn parse<T: FromStr>(&self, setting: &Setting, wanted: &'static str) -> Result<T, ConfigError> {
        let text = self.text(setting)?.unwrap_or_else(|| setting.default.to_owned());
        text.trim().parse().map_err(|_| ConfigError::Wrong {
            name: self.origin(setting),
            value: if setting.secret { "…".to_owned() } else { text },
            wanted,
        })
    }

    /// A secret was read that cannot be used.
    pub(super) fn wrong(&self, setting: &Setting, wanted: &'static str) -> ConfigError {
        ConfigError::Wrong { name: self.origin(setting), value: "…".to_owned(), wanted }
    }

    pub(super) fn seconds(&self, setting: &Setting) -> Result<Duration, ConfigError> {
        self.parse(setting, "a number of seconds").map(Duration::from_secs)
    }

    fn origin(&self, setting: &Setting) -> String {
        let from_file = !self.environment.contains_key(setting.variable) && self.file.contains_key(setting.key);
        if from_file { format!("`{}` in the settings file", setting.key) } else { setting.variable.to_owned() }
    }
}

fn read_file(path: &Path, settings: &[&Setting]) -> Result<HashMap<String, String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table =
        text.parse().map_err(|source| ConfigError::NotToml { path: path.to_owned(), source: Box::new(source) })?;
    table
        .into_iter()
        .map(|(key, value)| {
            if settings.iter().any(|setting| setting.key == key) {
                Ok((key, plain(&value)))
            } else {
                Err(ConfigError::Unknown { key, path: path.to_owned() })
            }
        })
        .collect()
}

/// A value as the environment would write it.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
